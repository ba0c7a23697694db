import pg from 'pg';
import { type Db, PgBoss } from 'pg-boss';
import {
  createTables,
  insertOrder,
  inTransaction,
  type NewOrder,
  type PaymentResult,
  type Program,
  pay,
  settle,
} from './program.ts';

/** The flow with pg-boss as its documentation begins: a job a message, a transaction a message, its defaults. */
export const pgBossPlain: Program = {
  title: 'pg-boss, its defaults',
  lacks:
    'a job that fails three times is failed for good and its order stays NEW; a killed worker gives its job ' +
    'back after 15 minutes; orders, payments and queue must share one database',

  async setUp(url) {
    await createTables(url);
    const boss = await start(url);
    await boss.createQueue('payment-requests');
    await boss.createQueue('payment-results');
    await boss.stop();
  },

  async startOrders(url) {
    const pool = new pg.Pool({ connectionString: url });
    const boss = await start(url);
    await boss.work<PaymentResult>('payment-results', async ([job]) => {
      if (job !== undefined) await settle((text, values) => pool.query(text, values), job.data);
    });
    return (order) =>
      inTransaction(pool, async (client) => {
        await insertOrder((text, values) => client.query(text, values), order);
        await boss.send('payment-requests', order, { db: through(client) });
      });
  },

  async startPayments(url) {
    const pool = new pg.Pool({ connectionString: url });
    const boss = await start(url);
    await boss.work<NewOrder>('payment-requests', async ([job]) => {
      if (job === undefined) return;
      await inTransaction(pool, async (client) => {
        const result = await pay((text, values) => client.query(text, values), job.data);
        if (result !== undefined) await boss.send('payment-results', result, { db: through(client) });
      });
    });
  },
};

async function start(url: string): Promise<PgBoss> {
  const boss = new PgBoss(url);
  boss.on('error', console.error);
  await boss.start();
  return boss;
}

/** Lets a job commit with the data. */
function through(client: pg.PoolClient): Db {
  return { executeSql: (text, values) => client.query(text, values) };
}
