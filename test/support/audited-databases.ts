import pg from 'pg';
import { createEphemeralDatabases, type EphemeralDatabases } from '../../src/system/ephemeral-databases.ts';
import type { DatabaseUrls } from '../../src/system/migrate.ts';
import type { AuditReport } from '../../src/tools/audit/audit.ts';
import { StepByStep } from './step-by-step.ts';
import { createTestDatabases, testServer } from './test-server.ts';

/** Databases with a history that an audit must find in order, to be broken on purpose. */
export interface AuditedDatabases {
  /** Administrator URLs of a copy of its own: all quiet, or with orders at every step of their way. */
  copyOf(base: 'quiet' | 'busy'): Promise<DatabaseUrls>;
  /** Runs SQL behind everybody's back: as administrator, past triggers and foreign keys. Answers the last rows. */
  tamper(url: string, text: string): Promise<Record<string, string>[]>;
}

/** Orders on their way in the busy databases: 1 in the orders' outbox, 2 in its queue, 3 in the inbox, and so on. */
export const busyInFlight = {
  new_orders: 15,
  orders_outbox: 1,
  payment_requests: 2,
  inbox: 3,
  payments_outbox: 4,
  payment_results: 5,
};
export const nothingInFlight = {
  new_orders: 0,
  orders_outbox: 0,
  payment_requests: 0,
  inbox: 0,
  payments_outbox: 0,
  payment_results: 0,
};
/** What either database holds: 20 customers with 15 paid orders each, and a few users that tests break. */
export const history = { accounts: 23, entries: 343, orders: 306, decisions: 306 };

/** Gives the tests of a describe block such databases. */
export function useAuditedDatabases(): AuditedDatabases {
  const bases: Partial<Record<'quiet' | 'busy', EphemeralDatabases>> = {};
  const copies: EphemeralDatabases[] = [];

  before(async function () {
    this.timeout(60_000);
    for (const base of ['quiet', 'busy'] as const) {
      bases[base] = await createTestDatabases();
      const services = await StepByStep.open(bases[base].urls);
      await writeHistory(services);
      if (base === 'busy') await writeInFlight(services);
      await services.close();
    }
  });
  afterEach(async () => {
    for (const copy of copies.splice(0)) await copy.drop();
  });
  after(async () => {
    for (const base of Object.values(bases)) await base.drop();
  });

  return {
    copyOf: async (base) => {
      const { urls } = await testServer();
      const template = new URL(bases[base]?.urls.orders ?? '').pathname.slice(1);
      const copy = await createEphemeralDatabases(urls, { prefix: 'tillbox_audited', template });
      copies.push(copy);
      return copy.urls;
    },
    tamper: async (url, text) => {
      const admin = new pg.Client({ connectionString: url });
      await admin.connect();
      try {
        await admin.query('set session_replication_role = replica');
        const results = await admin.query(text);
        return Array.isArray(results) ? results.at(-1).rows : results.rows;
      } finally {
        await admin.end();
      }
    },
  };
}

/** What an audit found, as `invariant id`. */
export function found({ violations }: AuditReport): string[] {
  return violations.map(({ invariant, id }) => `${invariant} ${id}`);
}

async function writeHistory(services: StepByStep): Promise<void> {
  for (let index = 0; index < 20; index += 1) {
    const user = `customer-${index}`;
    await services.user(user, 500_00n, 100_00n);
    await services.create(user, ...Array.from({ length: 15 }, (_, at) => BigInt(1_00 * at + index + 1)));
  }
  await services.user('empty');
  await services.create('empty', 1n, 2n);
  await services.create('nobody', 3n, 4n);
  await services.user('simple', 100_00n);
  await services.create('simple', 40_00n);
  await services.user('poor', 10_00n);
  await services.create('poor', 40_00n);
  const requests = await services.taken('orders');
  // Everything again, as after a broker restored from yesterday: nothing comes of it.
  for (const deliveries of [requests, requests]) {
    await services.receive(deliveries);
    await services.process();
    await services.settle(await services.taken('payments'));
  }
}

async function writeInFlight(services: StepByStep): Promise<void> {
  const amounts = (count: number) => Array.from({ length: count }, (_, at) => BigInt(count * 10 + at));
  await services.user('underway', 1_000_00n);
  await services.create('underway', ...amounts(busyInFlight.payment_results));
  await services.receive(await services.taken('orders'));
  await services.process();
  await services.publish('payments');
  await services.create('underway', ...amounts(busyInFlight.payments_outbox));
  await services.receive(await services.taken('orders'));
  await services.process();
  await services.create('underway', ...amounts(busyInFlight.inbox));
  await services.receive(await services.taken('orders'));
  await services.create('underway', ...amounts(busyInFlight.payment_requests));
  await services.publish('orders');
  await services.create('underway', ...amounts(busyInFlight.orders_outbox));
}
