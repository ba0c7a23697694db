import { expect } from 'chai';
import pg from 'pg';
import { reportOrders } from '../../../src/orders/board.ts';
import { findOrders, listOrders } from '../../../src/orders/store.ts';
import { sweepOrders } from '../../../src/orders/sweep-orders.ts';
import { findAccounts, listEntries } from '../../../src/payments/account-store.ts';
import { reportPayments } from '../../../src/payments/board.ts';
import { AccountKeyPruning } from '../../../src/payments/prune-account-keys.ts';
import { InboxPruning } from '../../../src/payments/prune-inbox.ts';
import { IdempotencyKeyPruning } from '../../../src/platform/idempotency-key-store.ts';
import { plansByIndex } from '../../../src/platform/postgres-connection.ts';
import { useDatabases } from '../../support/databases.ts';
import { StepByStep } from '../../support/step-by-step.ts';

/**
 * What the services send is prepared, and a plan made when a table was empty goes on to when it holds millions.
 * Here are all their statements, and the indexes each reaches rows by, planned on tables that are all but empty.
 */
const indexesOf: Record<string, readonly string[]> = {
  accounts_find: ['accounts_idempotency_key', 'accounts_pkey'],
  accounts_find_users: ['accounts_pkey'],
  accounts_insert: [],
  accounts_lock: ['accounts_pkey'],
  accounts_lock_free: ['accounts_pkey'],
  accounts_prune_keys: ['accounts_idempotency_key', 'accounts_pkey'],
  accounts_update: ['accounts_pkey'],
  board_newest: ['orders_pkey'],
  board_settle_times: ['orders_pkey'],
  decisions_find: ['decisions_pkey'],
  decisions_insert: [],
  entries_insert: [],
  entries_list: ['entries_pkey'],
  inbox_claim: ['inbox_waiting'],
  inbox_mark_processed: ['inbox_pkey'],
  inbox_prune: ['inbox_pkey'],
  inbox_receive: [],
  'orders.orders_prune_keys': ['orders_pkey'],
  orders_claim_overdue: ['orders_pkey', 'waiting_by_request', 'waiting_pkey'],
  orders_find: ['orders_pkey'],
  orders_find_created: ['orders_idempotency_key', 'orders_pkey'],
  orders_find_published: ['orders_pkey', 'outbox_pkey'],
  orders_insert: [],
  orders_list: ['orders_by_user'],
  orders_list_after: ['orders_by_user', 'orders_pkey'],
  orders_list_by_status: ['orders_by_user'],
  orders_list_by_status_after: ['orders_by_user', 'orders_pkey'],
  orders_outbox_remove: ['outbox_pkey'],
  orders_outbox_take: ['outbox_pkey'],
  orders_settle: ['orders_pkey', 'waiting_pkey'],
  'payments.topups_prune_keys': ['topups_pkey'],
  payments_find_progress: ['decisions_pkey', 'inbox_pkey', 'outbox_pkey'],
  payments_outbox_insert: [],
  payments_outbox_remove: ['outbox_pkey'],
  payments_outbox_take: ['outbox_pkey'],
  topups_find: ['topups_idempotency_key', 'topups_pkey'],
  topups_insert: [],
};

describe('system: plans', () => {
  const databases = useDatabases();
  const sent = new Map<string, string>();
  const { query } = pg.Client.prototype;

  before(() => {
    // Whatever is sent under a name is prepared.
    pg.Client.prototype.query = function (this: pg.Client, ...args: unknown[]) {
      const [{ name, text }] = args as [{ name?: string; text: string }];
      if (name !== undefined) sent.set(name, text);
      return (query as (...args: unknown[]) => unknown).apply(this, args);
    } as typeof query;
  });
  after(() => {
    pg.Client.prototype.query = query;
  });

  /** One of everything that the services do. */
  async function doEverything(): Promise<void> {
    const { orders, payments, ordersOutbox } = databases;
    const steps = await StepByStep.open(databases.adminUrls);
    try {
      await steps.user('alice', 100n);
      await steps.user('alice', 100n).catch(() => {});
      const ids = await steps.create('alice', 1n);
      await steps.create('alice', 1n);
      await steps.create('nobody', 1n);
      await reportOrders(orders, ids);
      await reportPayments(payments, ids);
      const requests = await steps.taken('orders');
      await steps.receive(requests);
      await steps.process();
      const results = await steps.taken('payments');
      await steps.settle(results);
      await steps.settle(results);
      await findOrders(orders, ids);
      for (const after of [undefined, ids[0]]) {
        for (const status of [undefined, 'NEW'] as const) {
          await listOrders(orders, { userId: 'alice', status, after, limit: 10 });
        }
      }
      await findAccounts(payments, 'alice', 'key');
      await listEntries(payments, { userId: 'alice', before: 10n, limit: 10 });
      await sweepOrders(orders, ordersOutbox, { overdueSeconds: 0, backoffSecondsMax: 0, growth: 1 });
      for (const table of ['orders.orders', 'payments.topups'] as const) {
        const database = table === 'orders.orders' ? orders : payments;
        await new IdempotencyKeyPruning({ database, table, retentionDays: 1 }).pruneOnce();
      }
      await new InboxPruning({ database: payments, retentionDays: 1 }).pruneOnce();
      await new AccountKeyPruning({ database: payments, retentionDays: 1 }).pruneOnce();
    } finally {
      await steps.close();
    }
  }

  it('reach rows through the right index, however small the table was when they were made', async function () {
    const [{ version }] = (await databases.sql<{ version: number }>(
      'orders',
      `select current_setting('server_version_num')::int as version`,
    )) as [{ version: number }];
    // EXPLAIN plans without values since 16.
    if (version < 160_000) return this.skip();
    await doEverything();
    const planned: Record<string, readonly string[]> = {};
    for (const [name, text] of [...sent].sort()) planned[name] = await indexesIn(text);
    expect(planned).to.deep.equal(indexesOf);
  });

  async function indexesIn(text: string): Promise<string[]> {
    const settings = Object.entries(plansByIndex).map(([setting, value]) => `set ${setting} = ${value};`);
    const database = text.includes('payments.') ? 'payments' : 'orders';
    await databases.sql(database, settings.join(' '));
    const [row] = await databases.sql<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
      database,
      `explain (generic_plan, format json) ${text}`,
    );
    const plan = row?.['QUERY PLAN'][0].Plan;
    return plan === undefined ? [] : [...new Set(accessesIn(plan))].sort();
  }
});

interface PlanNode {
  'Node Type': string;
  'Relation Name'?: string;
  'Index Name'?: string;
  Plans?: PlanNode[];
}

/** The indexes used, and the tables that are read whole. */
function accessesIn(node: PlanNode): string[] {
  const index = node['Index Name'];
  const own = index === undefined ? [] : [index];
  if (node['Node Type'] === 'Seq Scan') own.push(`all of ${node['Relation Name']}`);
  return [...own, ...(node.Plans ?? []).flatMap(accessesIn)];
}
