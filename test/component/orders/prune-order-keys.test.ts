import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { v7 as uuidV7 } from 'uuid';
import { OrderCreation } from '../../../src/orders/create-orders.ts';
import { IdempotencyKeyPruning } from '../../../src/platform/idempotency-key-store.ts';
import { useDatabases } from '../../support/databases.ts';

const dayMs = 86_400_000;

describe('orders: prune idempotency keys', () => {
  const databases = useDatabases();
  const sql = <Row extends object>(text: string, values?: unknown[]) =>
    databases.sql<Row>('orders', text, values);
  const create = (userId: string, idempotencyKey: string) =>
    new OrderCreation({ database: databases.orders, afterCommit: () => {} }).create({
      userId,
      amount: 1n,
      description: '',
      idempotencyKey,
      traceparent: undefined,
    });
  const newPruning = () =>
    new IdempotencyKeyPruning({ database: databases.orders, table: 'orders.orders', retentionDays: 30 });

  beforeEach(() => sql('delete from orders.orders'));

  /** Orders of so many days ago, settled or not, with keys that begin with the text. */
  async function insertOrders(count: number, days: number, status: 'NEW' | 'FINISHED', key: string) {
    const ids = Array.from({ length: count }, (_, index) =>
      uuidV7({ msecs: Date.now() - days * dayMs + index }),
    );
    await sql(
      `insert into orders.orders (id, user_id, amount, status, settled_at, created_at, idempotency_key)
       select id, 'alice', 1, $2, case when $2 = 'FINISHED' then now() end,
              now() - interval '1 day' * $3, $4 || '-' || id
         from unnest($1::uuid[]) id`,
      [ids, status, days, key],
    );
  }

  async function keysLeft(): Promise<string[]> {
    const rows = await sql<{ key: string }>(
      `select distinct split_part(idempotency_key, '-', 1) as key from orders.orders
        where idempotency_key is not null order by 1`,
    );
    return rows.map(({ key }) => key);
  }

  it('removes the keys of orders before the window, 1,000 a pass, final or not, and nothing else', async () => {
    await insertOrders(1_500, 40, 'FINISHED', 'old');
    await insertOrders(10, 35, 'NEW', 'waiting');
    await insertOrders(10, 29, 'FINISHED', 'young');
    const pruning = newPruning();
    expect(await pruning.pruneOnce()).to.deep.equal({ pruned: 1_000, more: true });
    expect(await pruning.pruneOnce()).to.deep.equal({ pruned: 510, more: false });
    expect(await pruning.pruneOnce()).to.deep.equal({ pruned: 0, more: false });
    expect(await keysLeft()).to.deep.equal(['young']);
    const [orders] = await sql<{ count: number }>('select count(*)::int from orders.orders');
    expect(orders?.count).to.equal(1_520);
  });

  it('goes on where it stood when orders grow old, and takes a locked one later', async () => {
    await insertOrders(3, 40, 'FINISHED', 'old');
    const pruning = newPruning();
    await databases.orders.transaction(async (tx) => {
      await tx.query({
        name: 'lock_old',
        text: 'select from orders.orders order by id limit 1 for no key update',
      });
      expect((await pruning.pruneOnce()).pruned).to.equal(2);
    });
    expect((await pruning.pruneOnce()).pruned).to.equal(1);
    await insertOrders(2, 31, 'FINISHED', 'next');
    expect((await pruning.pruneOnce()).pruned).to.equal(2);
  });

  it('replays an answer within the window, and takes the request for a new one after it', async () => {
    const key = randomUUID();
    const first = await create('bob', key);
    await newPruning().pruneOnce();
    const again = await create('bob', key);
    expect(again).to.deep.include({ replayed: true });
    expect(again.order.id).to.equal(first.order.id);
    await sql('update orders.orders set id = $2, created_at = $3 where id = $1', [
      first.order.id,
      uuidV7({ msecs: Date.now() - 31 * dayMs }),
      new Date(Date.now() - 31 * dayMs),
    ]);
    await newPruning().pruneOnce();
    expect(await create('bob', key)).to.deep.include({ replayed: false });
  });
});
