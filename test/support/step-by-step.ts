import { Broker, type Delivery, type Publication } from '../../src/messaging/broker/broker.ts';
import { Outbox } from '../../src/messaging/outbox.ts';
import { OutboxRelay } from '../../src/messaging/outbox-relay.ts';
import { OrderCreation } from '../../src/orders/create-orders.ts';
import { settleDeliveries } from '../../src/orders/settle-orders.ts';
import { createAccount } from '../../src/payments/accounts.ts';
import { processRequests } from '../../src/payments/process-requests.ts';
import { receiveDeliveries } from '../../src/payments/receive-requests.ts';
import { TopUps } from '../../src/payments/top-up.ts';
import { Database } from '../../src/platform/database.ts';
import type { DatabaseUrls } from '../../src/system/migrate.ts';
import { roleUrl } from '../../src/system/roles.ts';
import { silentLog } from './test-server.ts';

/** The services' work done by hand, step by step, on databases given by their administrators' URLs. */
export class StepByStep {
  readonly orders: Database;
  readonly payments: Database;
  readonly creation: OrderCreation;
  readonly topUps: TopUps;
  readonly #ordersOutbox = new Outbox('orders');
  readonly #paymentsOutbox = new Outbox('payments');
  readonly #brokerUrl: string;

  private constructor(urls: DatabaseUrls) {
    const open = (url: string) => new Database({ url, name: 'test', connectionsMax: 4, log: silentLog });
    this.orders = open(urls.orders);
    this.payments = open(urls.payments);
    this.#brokerUrl = urls.broker;
    this.creation = new OrderCreation({ database: this.orders, afterCommit: () => {} });
    this.topUps = new TopUps(this.payments);
  }

  static async open(adminUrls: DatabaseUrls): Promise<StepByStep> {
    return new StepByStep({
      orders: await roleUrl(adminUrls.orders, 'orders', silentLog),
      payments: await roleUrl(adminUrls.payments, 'payments', silentLog),
      broker: await roleUrl(adminUrls.broker, 'broker', silentLog),
    });
  }

  async close(): Promise<void> {
    await Promise.all([this.orders.close(), this.payments.close()]);
  }

  /** An account, topped up (in minor units) under keys of its own. */
  async user(userId: string, ...topups: bigint[]): Promise<void> {
    await createAccount(this.payments, userId, undefined);
    for (const [index, amount] of topups.entries()) {
      await this.topUps.topUp({ userId, amount, idempotencyKey: `topup-${index}` });
    }
  }

  /** Step 1, under keys of their own; answers the ids. */
  async create(userId: string, ...amounts: bigint[]): Promise<string[]> {
    const requests = amounts.map((amount, index) => ({
      userId,
      amount,
      description: 'audited',
      idempotencyKey: `order-${userId}-${index}-${amount}`,
      traceparent: undefined,
    }));
    const created = await this.creation.createOrders(requests);
    return created.map((result) => ('order' in result ? result.order.id : ''));
  }

  /** Steps 2 and 5 without a broker: everything in the outbox, as deliveries. */
  async taken(service: 'orders' | 'payments'): Promise<Delivery[]> {
    const jobs: Publication[] = [];
    const publish = async (publications: readonly Publication[]) => void jobs.push(...publications);
    while ((await this.#relay(service, { publish }).publishOnce()).rows > 0);
    return jobs.flatMap(({ data }, index) =>
      data.messages.map((message) => ({ message, jobId: `${index}` })),
    );
  }

  /** Steps 2 and 5: everything in the outbox goes into the queue. */
  async publish(service: 'orders' | 'payments'): Promise<void> {
    const broker = new Broker({ url: this.#brokerUrl, name: 'test', log: silentLog });
    await broker.start();
    await this.#relay(service, broker).publishOnce();
    await broker.stop();
  }

  #relay(service: 'orders' | 'payments', broker: Pick<Broker, 'publish'>): OutboxRelay {
    const isOrders = service === 'orders';
    const outbox = isOrders ? this.#ordersOutbox : this.#paymentsOutbox;
    const database = isOrders ? this.orders : this.payments;
    return new OutboxRelay({ database, outbox, broker, log: silentLog });
  }

  /** Step 3. */
  async receive(deliveries: Delivery[]): Promise<void> {
    await receiveDeliveries(this.payments, this.#paymentsOutbox, deliveries);
  }

  /** Step 4, until the inbox is done. */
  async process(): Promise<void> {
    while ((await processRequests(this.payments, this.#paymentsOutbox)).processed > 0);
  }

  /** Step 6. */
  async settle(deliveries: Delivery[]): Promise<void> {
    await settleDeliveries(this.orders, this.#ordersOutbox, deliveries);
  }

  /** Steps 2 to 6 for everything that waits in the orders' outbox. */
  async finish(): Promise<void> {
    await this.receive(await this.taken('orders'));
    await this.process();
    await this.settle(await this.taken('payments'));
  }
}
