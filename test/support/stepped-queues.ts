import type { Delivery } from '../../src/messaging/broker/broker.ts';
import type { Queue } from '../../src/messaging/messages.ts';
import type { TestDatabases } from './databases.ts';
import type { StepByStep } from './step-by-step.ts';

/** The queues worked on by hand: jobs are taken and completed as pg-boss does it, between the services' steps. */
export class SteppedQueues {
  readonly #databases: TestDatabases;
  readonly #services: StepByStep;

  constructor(databases: TestDatabases, services: StepByStep) {
    this.#databases = databases;
    this.#services = services;
  }

  /** Step 3, or 6: what waits in a queue is delivered, and its jobs are completed. */
  async deliver(queue: Queue): Promise<void> {
    const jobs = await this.#databases.sql<{ id: string; data: { messages: unknown[] } }>(
      'broker',
      `update broker.job set state = 'active', started_on = clock_timestamp()
        where name = $1 and state in ('created', 'retry') returning id, data`,
      [queue],
    );
    const deliveries = jobs.flatMap(({ id, data }): Delivery[] =>
      data.messages.map((message) => ({ message, jobId: id })),
    );
    if (queue === 'payment-requests') await this.#services.receive(deliveries);
    else await this.#services.settle(deliveries);
    await this.#databases.sql(
      'broker',
      `update broker.job set state = 'completed', completed_on = clock_timestamp()
        where name = $1 and id = any($2)`,
      [queue, jobs.map(({ id }) => id)],
    );
  }

  /** Puts the messages of a job into its queue once more, in a job of their own. */
  async publishAgain(queue: Queue): Promise<void> {
    await this.#databases.sql(
      'broker',
      `insert into broker.job (name, data) select name, data from broker.job
        where name = $1 order by created_on desc limit 1`,
      [queue],
    );
  }

  /** Steps 2 to 6 for everything that waits in the orders' outbox. */
  async finish(): Promise<void> {
    await this.#services.publish('orders');
    await this.deliver('payment-requests');
    await this.#services.process();
    await this.#services.publish('payments');
    await this.deliver('payment-results');
  }
}
