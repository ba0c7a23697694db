import { Logger, makeWorkerUtils, run, type TaskList } from 'graphile-worker';
import pg from 'pg';
import {
  createTables,
  inTransaction,
  type NewOrder,
  type PaymentResult,
  type Program,
  pay,
  settle,
} from './program.ts';

/** As its documentation advises for throughput: jobs fetched ahead, completions written together. */
const preset: GraphileConfig.Preset = {
  worker: {
    concurrentJobs: 10,
    localQueue: { size: 200 },
    completeJobBatchDelay: 0,
    failJobBatchDelay: 0,
  },
};

/** The flow with graphile-worker: a job a message, a transaction a message, ten at a time. */
export const graphileWorker: Program = {
  title: 'graphile-worker, tuned',
  lacks:
    'a job is given up after 25 attempts and its order stays NEW; a killed worker gives its jobs back after ' +
    'four hours; orders, payments and queue must share one database',

  async setUp(url) {
    await createTables(url);
    const utils = await makeWorkerUtils({ connectionString: url, logger: silent });
    await utils.migrate();
    await utils.release();
  },

  async startOrders(url) {
    const pool = new pg.Pool({ connectionString: url });
    await work(pool, {
      settle: async (payload) => {
        await settle((text, values) => pool.query(text, values), payload as PaymentResult);
      },
    });
    // One statement, hence one transaction: the order with its job.
    return async (order) => {
      await pool.query({
        name: 'create_order',
        text: `
          with created as (
            insert into orders (id, user_id, amount, description) values ($1, $2, $3, $4)
          )
          select from graphile_worker.add_job('pay', $5::json)`,
        values: [order.id, order.userId, order.amount, order.description, JSON.stringify(order)],
      });
    };
  },

  async startPayments(url) {
    const pool = new pg.Pool({ connectionString: url, max: 12 });
    await work(pool, {
      pay: async (payload) => {
        await inTransaction(pool, async (client) => {
          const result = await pay((text, values) => client.query(text, values), payload as NewOrder);
          if (result === undefined) return;
          await client.query(`select graphile_worker.add_job('settle', $1::json)`, [JSON.stringify(result)]);
        });
      },
    });
  },
};

const silent = new Logger(() => () => {});

/** Works on these tasks alone: each process has its own. */
async function work(pgPool: pg.Pool, taskList: TaskList): Promise<void> {
  await run({ pgPool, taskList, preset, logger: silent, noHandleSignals: true });
}
