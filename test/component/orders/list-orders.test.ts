import { expect } from 'chai';
import { OrderCreation } from '../../../src/orders/create-orders.ts';
import type { Order, OrderStatus } from '../../../src/orders/order.ts';
import { listOrders } from '../../../src/orders/store.ts';
import { useDatabases } from '../../support/databases.ts';

describe('orders: list orders', () => {
  const databases = useDatabases();
  /** Ids of alice's orders, oldest first. Batches share a creation time. */
  let ids: string[];

  before(async () => {
    const creation = new OrderCreation({ database: databases.orders, afterCommit: () => {} });
    const request = { amount: 1n, description: '', idempotencyKey: undefined, traceparent: undefined };
    ids = [];
    for (const batch of [7, 1, 12, 3]) {
      const requests = Array.from({ length: batch }, () => ({ ...request, userId: 'alice' }));
      const created = await creation.createOrders([...requests, { ...request, userId: 'bob' }]);
      ids.push(...created.slice(0, batch).map((result) => (result as { order: Order }).order.id));
    }
    await databases.sql(
      'orders',
      `update orders.orders set status = 'FINISHED', settled_at = now() where id = any($1)`,
      [ids.filter((_, index) => index % 3 === 0)],
    );
  });

  /** All pages of so many orders. */
  async function pages(limit: number, status?: OrderStatus): Promise<Order[][]> {
    const list: Order[][] = [];
    let after: string | undefined;
    do {
      const page = await listOrders(databases.orders, { userId: 'alice', status, after, limit });
      if (page.length > 0) list.push(page);
      after = page.at(-1)?.id;
    } while (after !== undefined);
    return list;
  }

  it("shows a user's orders newest first, each once, whatever the size of a page", async () => {
    for (const limit of [1, 2, 7, 22, 23, 24, 500]) {
      const list = await pages(limit);
      expect(
        list.flat().map(({ id }) => id),
        `pages of ${limit}`,
      ).to.deep.equal(ids.toReversed());
      expect(list).to.have.length(Math.ceil(23 / limit));
    }
  });

  it('shows those of one status, also across pages', async () => {
    const finished = ids.filter((_, index) => index % 3 === 0).reverse();
    for (const limit of [1, 3, 50]) {
      const list = (await pages(limit, 'FINISHED')).flat();
      expect(list.map(({ id }) => id)).to.deep.equal(finished);
    }
    expect((await pages(5, 'NEW')).flat()).to.have.length(23 - finished.length);
    expect(await pages(5, 'CANCELED')).to.deep.equal([]);
  });

  it('shows no order twice when new ones arrive between two pages', async () => {
    const first = await listOrders(databases.orders, {
      userId: 'alice',
      status: undefined,
      after: undefined,
      limit: 10,
    });
    const creation = new OrderCreation({ database: databases.orders, afterCommit: () => {} });
    const late = await creation.create({
      userId: 'alice',
      amount: 1n,
      description: 'late',
      idempotencyKey: undefined,
      traceparent: undefined,
    });
    const second = await listOrders(databases.orders, {
      userId: 'alice',
      status: undefined,
      after: first.at(-1)?.id,
      limit: 500,
    });
    expect([...first, ...second].map(({ id }) => id)).to.deep.equal(ids.toReversed());
    await databases.sql('orders', 'delete from orders.orders where id = $1', [late.order.id]);
  });

  it('shows nothing of a user without orders', async () => {
    const page = { userId: 'carol', status: undefined, after: undefined, limit: 10 };
    expect(await listOrders(databases.orders, page)).to.deep.equal([]);
  });
});
