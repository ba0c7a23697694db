import pg from 'pg';
import { Outbox } from '../../src/messaging/outbox.ts';
import { Database } from '../../src/platform/database.ts';
import { plansByIndex } from '../../src/platform/postgres-connection.ts';
import type { EphemeralDatabases } from '../../src/system/ephemeral-databases.ts';
import type { DatabaseUrls } from '../../src/system/migrate.ts';
import { type Duty, roleUrl } from '../../src/system/roles.ts';
import { createTestDatabases, silentLog } from './test-server.ts';

/** What a component test works with: the services' own logins, and an administrator to look behind them. */
export interface TestDatabases {
  /** Administrator URLs. */
  adminUrls: DatabaseUrls;
  /** URLs of the services' roles. */
  urls: DatabaseUrls;
  orders: Database;
  payments: Database;
  ordersOutbox: Outbox;
  paymentsOutbox: Outbox;
  /** Runs SQL as administrator of the database and answers its rows; `bigint` arrives as text. */
  sql<Row extends object = Record<string, unknown>>(
    database: keyof DatabaseUrls,
    text: string,
    values?: unknown[],
  ): Promise<Row[]>;
  /** Runs SQL in the database of orders with the login of that duty. */
  as(duty: Duty, text: string): Promise<void>;
}

/**
 * Gives the tests of a describe block databases of their own, copied from the migrated template. Kept, and
 * printed, when one of the tests failed.
 * @param create makes other databases than these copies
 */
export function useDatabases(create = createTestDatabases): TestDatabases {
  const current = {} as TestDatabases;
  const admins: Partial<Record<keyof DatabaseUrls, pg.Pool>> = {};
  const logins: Partial<Record<Duty, pg.Pool>> = {};
  let ephemeral: EphemeralDatabases;
  let failed = false;

  before(async function () {
    this.timeout(60_000);
    ephemeral = await create();
    const adminUrls = ephemeral.urls;
    const urls = {
      orders: await roleUrl(adminUrls.orders, 'orders', silentLog),
      payments: await roleUrl(adminUrls.payments, 'payments', silentLog),
      broker: await roleUrl(adminUrls.broker, 'broker', silentLog),
    };
    const settings = plansByIndex;
    const open = (url: string) =>
      new Database({ url, name: 'test', connectionsMax: 4, settings, log: silentLog });
    Object.assign(current, {
      adminUrls,
      urls,
      orders: open(urls.orders),
      payments: open(urls.payments),
      ordersOutbox: new Outbox('orders'),
      paymentsOutbox: new Outbox('payments'),
      sql: async (database: keyof DatabaseUrls, text: string, values: unknown[] = []) => {
        admins[database] ??= openPool(adminUrls[database]);
        return (await admins[database].query(text, values)).rows;
      },
      as: async (duty: Duty, text: string) => {
        logins[duty] ??= openPool(await roleUrl(adminUrls.orders, duty, silentLog));
        await logins[duty].query(text);
      },
    });
  });

  afterEach(function () {
    if (this.currentTest?.state === 'failed') failed = true;
  });

  after(async () => {
    await Promise.all([current.orders?.close(), current.payments?.close()]);
    await Promise.all([...Object.values(admins), ...Object.values(logins)].map((pool) => pool.end()));
    if (failed && process.env['DATABASE_URL'])
      console.error(`    databases kept: ${current.adminUrls.orders}`);
    else await ephemeral?.drop();
  });

  return current;
}

function openPool(url: string): pg.Pool {
  const pool = new pg.Pool({ connectionString: url, max: 1 });
  // On a busy machine the drop of the database ends a connection that is closing just then.
  pool.on('error', () => {});
  return pool;
}
