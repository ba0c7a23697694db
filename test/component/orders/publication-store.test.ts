import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { OrderCreation } from '../../../src/orders/create-orders.ts';
import type { Order } from '../../../src/orders/order.ts';
import { findPublished } from '../../../src/orders/publication-store.ts';
import { useDatabases } from '../../support/databases.ts';

describe('orders: whether an order is published', () => {
  const databases = useDatabases();
  const published = async (ids: string[]) => [...(await findPublished(databases.orders, ids)).keys()];

  async function createOrder(): Promise<string> {
    const creation = new OrderCreation({ database: databases.orders, afterCommit: () => {} });
    const request = {
      userId: 'alice',
      amount: 1n,
      description: '',
      idempotencyKey: undefined,
      traceparent: undefined,
    };
    const [created] = await creation.createOrders([request]);
    return (created as { order: Order }).order.id;
  }

  /** Fills the outbox with what is of no interest. */
  async function addBacklog(count: number): Promise<void> {
    await databases.sql(
      'orders',
      `insert into orders.outbox (queue, messages, message_count)
       select 'payment-requests', '[{}]', 1 from generate_series(1, $1)`,
      [count],
    );
  }

  async function publish(count: number): Promise<void> {
    await databases.orders.transaction(async (tx) => {
      databases.ordersOutbox.remove(tx, await databases.ordersOutbox.take(tx, count));
    });
  }

  afterEach(() => databases.sql('orders', 'delete from orders.outbox'));

  it('is so once its row has left the outbox, for each of those asked about', async () => {
    const ids = [await createOrder(), await createOrder(), await createOrder()];
    expect(await published(ids)).to.deep.equal([]);
    await publish(2);
    expect(await published([...ids, randomUUID()])).to.have.members(ids.slice(0, 2));
  });

  it('stays so when its payment is requested again', async () => {
    const id = await createOrder();
    const [row] = await databases.sql<{ messages: object }>('orders', 'select messages from orders.outbox');
    await publish(1);
    await databases.sql(
      'orders',
      `insert into orders.outbox (queue, messages, message_count) values ('payment-requests', $1, 1)`,
      [JSON.stringify(row?.messages)],
    );
    expect(await published([id])).to.deep.equal([id]);
  });

  it('is told by age behind a backlog longer than what is looked through', async () => {
    const early = await createOrder();
    await publish(1);
    await addBacklog(2_500);
    const late = await createOrder();
    expect(await published([early, late])).to.deep.equal([early]);
    await publish(501);
    expect(await published([late])).to.deep.equal([]);
    await publish(2_000);
    expect(await published([late])).to.deep.equal([late]);
  });
});
