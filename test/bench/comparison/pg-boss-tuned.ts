import pg from 'pg';
import { type Db, PgBoss } from 'pg-boss';
import {
  createTables,
  insertOrder,
  inTransaction,
  type NewOrder,
  type PaymentResult,
  type Program,
} from './program.ts';

const batchSize = 100;

/** Woken by NOTIFY, polling at its fastest besides, on with the next batch while they are full. */
const workOptions = {
  batchSize,
  pollingIntervalSeconds: 0.5,
  notifyPollingIntervalSeconds: 0.5,
  burstWhenBatchFull: true,
  transactional: true,
} as const;

/**
 * The flow with pg-boss and everything it offers for speed: batches of jobs whose debits, results and
 * completion are one transaction, listening, a partition for each queue. Its NOTIFY in the transaction of each
 * order makes commits wait for one another; without it an idle order would wait for two polls of half a second.
 */
export const pgBossTuned: Program = {
  title: 'pg-boss, tuned',
  lacks:
    'a job that fails three times is failed for good, and a bad one fails its whole batch; a killed worker ' +
    'gives its jobs back after 15 minutes; orders, payments and queue must share one database',

  async setUp(url) {
    await createTables(url);
    const boss = await start(url);
    for (const queue of ['payment-requests', 'payment-results']) {
      await boss.createQueue(queue, { notify: true, partition: true });
    }
    await boss.stop();
  },

  async startOrders(url) {
    const pool = new pg.Pool({ connectionString: url });
    const boss = await start(url);
    await boss.work<PaymentResult, void, typeof workOptions>('payment-results', workOptions, (jobs, tx) =>
      settleAll(
        tx,
        jobs.map(({ data }) => data),
      ),
    );
    return (order) =>
      inTransaction(pool, async (client) => {
        await insertOrder((text, values) => client.query(text, values), order);
        await boss.send('payment-requests', order, {
          db: { executeSql: (text, values) => client.query(text, values) },
        });
      });
  },

  async startPayments(url) {
    const boss = await start(url);
    await boss.work<NewOrder, void, typeof workOptions>('payment-requests', workOptions, async (jobs, tx) => {
      const results = await payAll(
        tx,
        jobs.map(({ data }) => data),
      );
      if (results.length > 0) {
        await boss.insert(
          'payment-results',
          results.map((data) => ({ data })),
          { db: tx },
        );
      }
    });
  },
};

async function start(url: string): Promise<PgBoss> {
  const boss = new PgBoss({ connectionString: url, useListenNotify: true });
  boss.on('error', console.error);
  await boss.start();
  return boss;
}

/** The debits of a batch: accounts locked once each, decided in memory, three statements in all. */
async function payAll(tx: Db, orders: readonly NewOrder[]): Promise<PaymentResult[]> {
  const locked = await tx.executeSql(
    'select user_id, balance from accounts where user_id = any($1) order by user_id for update',
    [[...new Set(orders.map(({ userId }) => userId))]],
  );
  const balances = new Map(locked.rows.map((row) => [row.user_id as string, BigInt(row.balance)]));
  const decided = orders.map(({ id, userId, amount }) => {
    const balance = balances.get(userId) ?? 0n;
    const paid = balance >= BigInt(amount);
    if (paid) balances.set(userId, balance - BigInt(amount));
    return { order_id: id, user_id: userId, amount, paid };
  });
  // A job that comes again fails here on the primary key, with its batch: never a second charge.
  await tx.executeSql(
    `insert into payments (order_id, user_id, amount, paid)
     select * from json_to_recordset($1) as input (order_id uuid, user_id text, amount bigint, paid boolean)`,
    [JSON.stringify(decided)],
  );
  await tx.executeSql(
    `update accounts set balance = input.balance
       from unnest($1::text[], $2::bigint[]) as input (user_id, balance)
      where accounts.user_id = input.user_id`,
    [[...balances.keys()], [...balances.values()].map(String)],
  );
  return decided.map(({ order_id, paid }) => ({ orderId: order_id, paid }));
}

async function settleAll(tx: Db, results: readonly PaymentResult[]): Promise<void> {
  await tx.executeSql(
    `update orders set status = input.status, settled_at = now()
       from unnest($1::uuid[], $2::text[]) as input (id, status)
      where orders.id = input.id and orders.status = 'NEW'`,
    [results.map(({ orderId }) => orderId), results.map(({ paid }) => (paid ? 'FINISHED' : 'CANCELED'))],
  );
}
