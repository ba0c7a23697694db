import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { messageId } from '../../../src/messaging/messages.ts';
import { OrderCreation } from '../../../src/orders/create-orders.ts';
import {
  patienceInBacklog,
  requestedBefore,
  sweepOrders,
  sweptAll,
} from '../../../src/orders/sweep-orders.ts';
import { useDatabases } from '../../support/databases.ts';

describe('orders: sweep orders', () => {
  const databases = useDatabases();
  const sweep = () => sweepOrders(databases.orders, databases.ordersOutbox);

  beforeEach(() => databases.sql('orders', 'truncate orders.orders, orders.waiting, orders.outbox'));

  async function newOrders(count: number): Promise<string[]> {
    const creation = new OrderCreation({ database: databases.orders, afterCommit: () => {} });
    const request = { userId: 'alice', amount: 50_00n, description: '', traceparent: undefined };
    const keys = Array.from({ length: count }, () => randomUUID());
    const created = await Promise.all(
      keys.map((idempotencyKey) => creation.create({ ...request, idempotencyKey })),
    );
    await databases.sql('orders', 'delete from orders.outbox');
    return created.map(({ order }) => order.id);
  }

  async function newOrder(): Promise<string> {
    const [id] = await newOrders(1);
    return id as string;
  }

  /** Lets time pass: the last request of every order was so much longer ago. */
  async function secondsPass(seconds: number): Promise<void> {
    await databases.sql(
      'orders',
      `update orders.waiting set requested_at = requested_at - interval '1 second' * $1`,
      [seconds],
    );
  }

  async function requestIds(): Promise<string[]> {
    const rows = await databases.sql<{ id: string }>(
      'orders',
      `select message ->> 'id' as id from orders.outbox, json_array_elements(messages) as message
        where queue = 'payment-requests' order by seq`,
    );
    return rows.map(({ id }) => id);
  }

  it('requests the payment of an order again that waits for longer than 25 s, under the same message id', async () => {
    const id = await newOrder();
    await secondsPass(26);
    expect(await sweep()).to.equal(1);
    expect(await requestIds()).to.deep.equal([messageId(id, 'payment.requested.v1')]);
  });

  it('leaves an order alone before 25 s', async () => {
    await newOrder();
    await secondsPass(23);
    expect(await sweep()).to.equal(0);
    expect(await requestIds()).to.deep.equal([]);
  });

  it('doubles the wait with every request, up to ten minutes', async () => {
    await newOrder();
    const waits = [25, 50, 100, 200, 400, 600, 600];
    for (const wait of waits) {
      await secondsPass(wait - 2);
      expect(await sweep(), `just before ${wait} s`).to.equal(0);
      await secondsPass(4);
      expect(await sweep(), `just after ${wait} s`).to.equal(1);
    }
    expect(new Set(await requestIds()).size, 'always the same message').to.equal(1);
  });

  it('requests again once and then every ten minutes while a backlog waits', async () => {
    await newOrder();
    const sweepInBacklog = () => sweepOrders(databases.orders, databases.ordersOutbox, patienceInBacklog);
    for (const wait of [25, 600, 600]) {
      await secondsPass(wait - 2);
      expect(await sweepInBacklog(), `just before ${wait} s`).to.equal(0);
      await secondsPass(4);
      expect(await sweepInBacklog(), `just after ${wait} s`).to.equal(1);
    }
  });

  it('still knows how long to wait after thousands of requests', async () => {
    await newOrder();
    await databases.sql('orders', 'update orders.waiting set request_count = 1000');
    await secondsPass(598);
    expect(await sweep()).to.equal(0);
    expect(await sweepOrders(databases.orders, databases.ordersOutbox, patienceInBacklog)).to.equal(0);
    await secondsPass(4);
    expect(await sweep()).to.equal(1);
    const [row] = await databases.sql('orders', 'select request_count from orders.waiting');
    expect(row).to.deep.equal({ request_count: 1000 });
  });

  it('leaves final orders alone', async () => {
    await newOrders(2);
    await secondsPass(86_400);
    await databases.sql('orders', `update orders.orders set status = 'FINISHED', settled_at = now()`);
    expect(await sweep()).to.equal(0);
  });

  it('takes 500 orders a pass, the longest waiting first, and says when there may be more', async () => {
    const ids = await newOrders(501);
    await secondsPass(26);
    const oldest = ids[250] as string;
    await databases.sql(
      'orders',
      `update orders.waiting set requested_at = requested_at - interval '1 hour' where order_id = $1`,
      [oldest],
    );
    const first = await sweep();
    expect([first, sweptAll(first)]).to.deep.equal([500, true]);
    expect(await requestIds()).to.include(messageId(oldest, 'payment.requested.v1'));
    const second = await sweep();
    expect([second, sweptAll(second)]).to.deep.equal([1, false]);
  });

  it('requests each order once when several instances sweep at the same time', async () => {
    await newOrders(200);
    await secondsPass(26);
    const counts = await Promise.all([sweep(), sweep(), sweep(), sweep()]);
    expect(counts.reduce((sum, count) => sum + count)).to.equal(200);
    const ids = await requestIds();
    expect(new Set(ids).size).to.equal(200);
    expect(ids).to.have.length(200);
  });

  it('requests everything again that was requested before the broker lost it, whatever its backoff', async () => {
    await newOrders(3);
    await databases.sql('orders', 'update orders.waiting set request_count = 5');
    await secondsPass(4);
    await newOrders(2);
    const swept = await sweepOrders(databases.orders, databases.ordersOutbox, requestedBefore(2_000));
    expect(swept).to.equal(3);
    const again = await sweepOrders(databases.orders, databases.ordersOutbox, requestedBefore(2_000));
    expect(again, 'once').to.equal(0);
  });
});
