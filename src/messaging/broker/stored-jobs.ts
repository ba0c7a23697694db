import { PgBoss } from 'pg-boss';
import type { Queryable, Transaction } from '../../platform/database.ts';
import type { Publication } from './broker.ts';
import { brokerConnection, through, toolOptions } from './connection.ts';

/** pg-boss's statements in transactions of ours: for tools that deal with jobs as they lie there. */
export class StoredJobs {
  readonly #boss: PgBoss;

  /** @param database with the broker's role; the caller closes it */
  constructor(database: Queryable) {
    this.#boss = new PgBoss({ ...toolOptions, db: through(database) });
    this.#boss.on('error', () => {});
  }

  /** Rejects while the broker is away or not migrated. */
  async start(): Promise<void> {
    await this.#boss.start();
  }

  /** Completes jobs that wait, with this output. */
  async complete(tx: Transaction, queue: string, ids: readonly string[], output: object): Promise<void> {
    await this.#boss.complete(queue, [...ids], output, { includeQueued: true, db: through(tx) });
  }

  /** Adds jobs under ids of the caller's choice, and wakes their receiver; one that is there is left alone. */
  async insert(
    tx: Transaction,
    queue: string,
    jobs: readonly { id: string; data: unknown }[],
  ): Promise<void> {
    const inserts = jobs.map(({ id, data }) => ({ id, data: data as object }));
    await this.#boss.insert(queue, inserts, { db: through(tx) });
  }

  async stop(): Promise<void> {
    await this.#boss.stop({ graceful: false, close: false });
  }
}

/** Publishes jobs from outside a service, on a connection of its own: for tools that send messages again. */
export async function publishOnce(url: string, publications: readonly Publication[]): Promise<void> {
  const boss = new PgBoss({
    ...brokerConnection(url, 'publish'),
    max: 1,
    supervise: false,
    registerInstance: false,
  });
  boss.on('error', () => {});
  await boss.start();
  try {
    for (const { queue, data } of publications) await boss.insert(queue, [{ data }]);
  } finally {
    await boss.stop({ graceful: false });
  }
}
