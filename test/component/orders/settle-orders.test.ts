import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import type { Delivery } from '../../../src/messaging/broker/broker.ts';
import { type PaymentResult, toCloudEvent } from '../../../src/messaging/messages.ts';
import { OrderCreation } from '../../../src/orders/create-orders.ts';
import type { Order } from '../../../src/orders/order.ts';
import { settleDeliveries } from '../../../src/orders/settle-orders.ts';
import { findOrders } from '../../../src/orders/store.ts';
import { useDatabases } from '../../support/databases.ts';

describe('orders: settle orders', () => {
  const databases = useDatabases();

  const settle = (deliveries: Delivery[]) =>
    settleDeliveries(databases.orders, databases.ordersOutbox, deliveries);

  async function newOrders(count: number): Promise<Order[]> {
    const creation = new OrderCreation({ database: databases.orders, afterCommit: () => {} });
    const request = { amount: 50_00n, description: '', idempotencyKey: undefined, traceparent: undefined };
    const users = Array.from({ length: count }, () => `user-${randomUUID()}`);
    const created = await Promise.all(users.map((userId) => creation.create({ ...request, userId })));
    return created.map(({ order }) => order);
  }

  async function newOrder(): Promise<Order> {
    const [order] = await newOrders(1);
    return order as Order;
  }

  function delivery(result: PaymentResult): Delivery {
    return { message: toCloudEvent(result), jobId: randomUUID() };
  }

  function paid({ id, userId, amount }: Pick<Order, 'id' | 'userId' | 'amount'>): Delivery {
    return delivery({ type: 'payment.succeeded.v1', orderId: id, userId, amount });
  }

  function declined({ id, userId, amount }: Order, reason = 'INSUFFICIENT_FUNDS' as const): Delivery {
    return delivery({ type: 'payment.failed.v1', orderId: id, userId, amount, reason });
  }

  async function now(order: Order): Promise<Order> {
    const [found] = await findOrders(databases.orders, [order.id]);
    return found as Order;
  }

  async function deadLettersAbout(...deliveries: Delivery[]): Promise<(string | null)[]> {
    const rows = await databases.sql<{ reason: string }>(
      'orders',
      `select dead_letter ->> 'reason' as reason from orders.outbox
        where queue = 'payment-results-dead-letters' and dead_letter ->> 'job_id' = any($1) order by seq`,
      [deliveries.map(({ jobId }) => jobId)],
    );
    return rows.map(({ reason }) => reason);
  }

  it('makes orders FINISHED or CANCELED with the reason, and says since when', async () => {
    const [one, other] = (await newOrders(2)) as [Order, Order];
    const { settled, duplicates, deadLetters, begunAt } = await settle([paid(one), declined(other)]);
    expect([...settled]).to.have.members([one.id, other.id]);
    expect({ duplicates, deadLetters }).to.deep.equal({ duplicates: 0, deadLetters: [] });
    const finished = await now(one);
    const settledAt = finished.settledAt?.getTime() ?? 0;
    // A Date has no fractions of the milliseconds that the database writes down.
    expect(begunAt, 'the moment written down').to.be.within(settledAt - 1_000, settledAt);
    expect(finished).to.include({ status: 'FINISHED', reason: null });
    expect(finished.settledAt).to.be.instanceOf(Date);
    expect(await now(other)).to.include({ status: 'CANCELED', reason: 'INSUFFICIENT_FUNDS' });
  });

  it('settles once when the same result comes twice in a batch, and again later', async () => {
    const order = await newOrder();
    const first = await settle([paid(order), paid(order)]);
    expect([...first.settled]).to.deep.equal([order.id]);
    expect(first).to.deep.include({ duplicates: 1, deadLetters: [] });
    const settled = await now(order);
    const again = await settle([paid(order)]);
    expect(again.settled.size).to.equal(0);
    expect(again).to.deep.include({ duplicates: 1, deadLetters: [] });
    expect(await now(order)).to.deep.equal(settled);
  });

  it('keeps a final order as it is when a contrary result comes, and makes that a dead letter', async () => {
    const order = await newOrder();
    await settle([declined(order)]);
    const canceled = await now(order);
    const contrary = [
      paid(order),
      delivery({ ...factsOf(order), type: 'payment.failed.v1', reason: 'ACCOUNT_NOT_FOUND' }),
    ];
    const { settled, duplicates, deadLetters } = await settle(contrary);
    expect([settled.size, duplicates]).to.deep.equal([0, 0]);
    expect(deadLetters.map(({ reason }) => reason)).to.deep.equal(['contradicts-order', 'contradicts-order']);
    expect(deadLetters[0]?.detail).to.contain(order.id).and.contain('CANCELED').and.contain('FINISHED');
    expect(await deadLettersAbout(...contrary)).to.deep.equal(['contradicts-order', 'contradicts-order']);
    expect(await now(order)).to.deep.equal(canceled);
  });

  function factsOf({ id, userId, amount }: Order) {
    return { orderId: id, userId, amount };
  }

  it('settles by the first of two contrary results in one batch, and makes the other a dead letter', async () => {
    const [one, other] = (await newOrders(2)) as [Order, Order];
    const second = [declined(one), paid(other)];
    const { settled, duplicates } = await settle([paid(one), declined(other), ...second]);
    expect([settled.size, duplicates]).to.deep.equal([2, 0]);
    expect((await now(one)).status).to.equal('FINISHED');
    expect((await now(other)).status).to.equal('CANCELED');
    expect(await deadLettersAbout(...second)).to.deep.equal(['contradicts-order', 'contradicts-order']);
  });

  it('makes a result for an unknown order a dead letter', async () => {
    const unknown = paid({ id: randomUUID(), userId: 'alice', amount: 1n });
    const { settled, deadLetters } = await settle([unknown]);
    expect(settled.size).to.equal(0);
    expect(deadLetters.map(({ reason }) => reason)).to.deep.equal(['unknown-order']);
    expect(await deadLettersAbout(unknown)).to.deep.equal(['unknown-order']);
  });

  it('settles no order by a result about another user or amount, even if it comes first', async () => {
    const [one, other] = (await newOrders(2)) as [Order, Order];
    const wrong = [declined({ ...one, amount: 1n }), paid({ ...other, userId: 'mallory' })];
    const alone = await settle(wrong);
    expect(alone.settled.size).to.equal(0);
    expect(await deadLettersAbout(...wrong)).to.deep.equal(['contradicts-order', 'contradicts-order']);
    expect((await now(one)).status).to.equal('NEW');
    const { settled, duplicates, deadLetters } = await settle([...wrong, paid(one), declined(other)]);
    expect([settled.size, duplicates, deadLetters.length]).to.deep.equal([2, 0, 2]);
    expect((await now(one)).status).to.equal('FINISHED');
    expect((await now(other)).status).to.equal('CANCELED');
  });

  it('settles 499 orders although one message among 500 is bad, which goes to the dead letters alone', async () => {
    const orders = await newOrders(499);
    const bad = { message: { type: 'payment.succeeded.v9', odd: ['text'] }, jobId: randomUUID() };
    const good = orders.map(paid);
    const { settled, duplicates } = await settle([...good.slice(0, 250), bad, ...good.slice(250)]);
    expect([settled.size, duplicates]).to.deep.equal([499, 0]);
    const [letter] = await databases.sql<{ message: object; dead_letter: object }>(
      'orders',
      `select messages -> 0 as message, dead_letter from orders.outbox where dead_letter ->> 'job_id' = $1`,
      [bad.jobId],
    );
    expect(letter?.message).to.deep.equal(bad.message);
    expect(letter?.dead_letter).to.include({ reason: 'unknown-type', queue: 'payment-results' });
  });

  it('keeps whatever garbage a queue may hold as dead letters', async () => {
    const order = await newOrder();
    const { message } = paid(order) as { message: ReturnType<typeof toCloudEvent> };
    const deep = JSON.parse('['.repeat(6_000) + ']'.repeat(6_000));
    const garbage = [null, 5, 'text', [], {}, deep, { ...message, data: null }, { ...message, id: order.id }];
    const requested = toCloudEvent({ ...factsOf(order), type: 'payment.requested.v1' });
    const jobId = randomUUID();
    const { settled, deadLetters } = await settle(
      [...garbage, requested].map((one) => ({ message: one, jobId })),
    );
    expect(settled.size).to.equal(0);
    expect(deadLetters).to.have.length(garbage.length + 1);
    expect((await now(order)).status).to.equal('NEW');
  });

  it('settles each order once when several instances get the same results at the same time', async () => {
    const orders = await newOrders(100);
    const batches = [orders, orders.toReversed(), orders, orders.toReversed()];
    const outcomes = await Promise.all(batches.map((batch) => settle(batch.map(paid))));
    const settled = outcomes.flatMap((outcome) => [...outcome.settled]);
    expect(settled).to.have.length(100);
    expect(new Set(settled).size).to.equal(100);
    expect(outcomes.flatMap(({ deadLetters }) => deadLetters)).to.deep.equal([]);
  });

  it('has nothing to do for an empty batch', async () => {
    const { settled, duplicates, deadLetters } = await settle([]);
    expect([settled.size, duplicates, deadLetters.length]).to.deep.equal([0, 0, 0]);
  });

  it('is held to final statuses by Postgres itself, whoever asks', async () => {
    const [one, other] = (await newOrders(2)) as [Order, Order];
    await settle([paid(one), declined(other)]);
    const changes = [
      `status = 'NEW', reason = null, settled_at = null`,
      `status = 'CANCELED', reason = 'INSUFFICIENT_FUNDS'`,
      `settled_at = now() + interval '1 day'`,
      'amount = 1',
      `user_id = 'mallory'`,
    ];
    for (const change of changes) {
      const error = await databases
        .sql('orders', `update orders.orders set ${change} where id = $1`, [one.id])
        .catch((reason) => reason);
      expect(error, change).to.have.property('code', '23000'); // integrity_constraint_violation
    }
    for (const change of [`status = 'FINISHED', reason = null`, `reason = 'ACCOUNT_NOT_FOUND'`]) {
      const error = await databases
        .sql('orders', `update orders.orders set ${change} where id = $1`, [other.id])
        .catch((reason) => reason);
      expect(error, change).to.have.property('code', '23000');
    }
  });

  it('cannot leave an order half settled', async () => {
    const order = await newOrder();
    const changes = [
      `status = 'FINISHED'`,
      `status = 'CANCELED', settled_at = now()`,
      `status = 'FINISHED', settled_at = now(), reason = 'INSUFFICIENT_FUNDS'`,
      'settled_at = now()',
      `status = 'PAID', settled_at = now()`,
      'amount = 0',
    ];
    for (const change of changes) {
      const error = await databases
        .sql('orders', `update orders.orders set ${change} where id = $1`, [order.id])
        .catch((reason) => reason);
      expect(error, change).to.have.property('code', '23514'); // check_violation
    }
  });
});
