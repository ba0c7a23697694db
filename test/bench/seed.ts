import type pg from 'pg';
import { messageId } from '../../src/messaging/messages.ts';
import { OrderCreation } from '../../src/orders/create-orders.ts';
import { insertedMax } from '../../src/orders/store.ts';
import { Database } from '../../src/platform/database.ts';
import { createLogger } from '../../src/platform/logging.ts';

/**
 * Data of years, made in minutes: rows as the services would have left them, so that the audit passes. Every
 * column is named, for whoever changes a migration.
 */

/** Users of the seeded orders: `seeded-0` and on. */
export const seededUser = (index: number | '') => `seeded-${index}`;

/** Each order takes 1.00; top-ups leave every account with this much, in minor units. */
const amount = 100;
const left = 100_000_000;
/** Orders are spread evenly over so many days until now. */
const days = 30;
/** The inbox keeps what was processed for so long, as is its default. */
const inboxDays = 7;

/**
 * Settled orders, spread over accounts in turn, with all that belongs to them: account, top-up, decision, ledger
 * entry, and for the newest the processed message in the inbox.
 * @param admin may write into both schemas
 */
export async function seedSettledOrders(
  admin: pg.Client,
  { orders, accounts }: { orders: number; accounts: number },
): Promise<void> {
  // The type's mask alone is the id of the message about order zero: the last 48 bits of an id are mixed with it.
  const mask = messageId('00000000-0000-0000-0000-000000000000', 'payment.requested.v1').slice(24);
  await admin.query(`
    create unlogged table public.seed as
    select uuidv7(at - now()) as id, 'seeded-' || n % ${accounts} as user_id, n / ${accounts} as nth, at,
           at + interval '20 ms' as settled_at
      from (select n, now() - interval '1 hour' - interval '1 day' * ${days} * (1 - n::float8 / ${orders}) as at
              from generate_series(0, ${orders} - 1) as n) as series`);
  const ordersOfUser = `(${orders} + ${accounts} - 1 - n) / ${accounts}`;
  const topped = `${Math.ceil(orders / accounts) * amount + left}::bigint`;
  const began = `now() - interval '${days + 1} days'`;
  const statements = [
    `insert into payments.accounts (user_id, balance, entry_count, created_at)
     select 'seeded-' || n, ${topped} - ${ordersOfUser} * ${amount}, 1 + ${ordersOfUser}, ${began}
       from generate_series(0, ${accounts} - 1) as n`,
    `insert into payments.topups (id, user_id, amount, balance, created_at)
     select uuidv7(interval '-${days + 1} days'), 'seeded-' || n, ${topped}, ${topped}, ${began}
       from generate_series(0, ${accounts} - 1) as n`,
    `insert into payments.entries (user_id, seq, amount, balance, topup_id, created_at)
     select user_id, 1, amount, balance, id, created_at from payments.topups`,
    `insert into payments.entries (user_id, seq, amount, balance, order_id, created_at)
     select user_id, nth + 2, -${amount}, ${topped} - (nth + 1) * ${amount}, id, settled_at from public.seed`,
    `insert into payments.decisions (order_id, user_id, amount, outcome, decided_at)
     select id, user_id, ${amount}, 'paid', settled_at from public.seed`,
    `insert into payments.inbox (message_id, order_id, user_id, amount, job_id, received_at, processed_at)
     select overlay(id::text placing
              lpad(to_hex((('x' || right(id::text, 12))::bit(48) # 'x${mask}'::bit(48))::bigint), 12, '0')
              from 25)::uuid, id, user_id, ${amount}, 'seeded', at, settled_at
       from public.seed where at > now() - interval '${inboxDays} days'`,
    `insert into orders.orders (id, user_id, amount, description, status, created_at, settled_at)
     select id, user_id, ${amount}, 'two tickets', 'FINISHED', at, settled_at from public.seed`,
    'drop table public.seed',
  ];
  // What triggers would check a row at a time, the audit checks afterwards.
  await admin.query('set session_replication_role = replica');
  for (const statement of statements) await admin.query(statement);
  await admin.query('reset session_replication_role');
  await settleDown(admin);
}

/** Leaves no work of the seeding for the measurement: dead rows, hint bits, statistics, dirty pages. */
export async function settleDown(admin: pg.Client): Promise<void> {
  await admin.query('vacuum (analyze)');
  await admin.query('checkpoint');
}

/** Accounts with money, made as the service would have left them. */
export async function seedAccounts(admin: pg.Client, accounts: number): Promise<void> {
  await seedSettledOrders(admin, { orders: 0, accounts });
}

/**
 * Accepts orders of the seeded users as step 1 does, without HTTP: they are NEW, and their requests are in the
 * outbox.
 * @param url of the role of orders
 */
export async function acceptOrders(
  url: string,
  { orders, accounts }: { orders: number; accounts: number },
): Promise<void> {
  const database = new Database({
    url,
    name: 'bench',
    connectionsMax: 2,
    log: createLogger('bench', 'silent'),
  });
  const creation = new OrderCreation({ database, afterCommit: () => {} });
  try {
    for (let from = 0; from < orders; from += insertedMax) {
      const requests = Array.from({ length: Math.min(insertedMax, orders - from) }, (_, index) => ({
        userId: seededUser((from + index) % accounts),
        amount: BigInt(amount),
        description: 'two tickets',
        idempotencyKey: undefined,
        traceparent: undefined,
      }));
      await creation.createOrders(requests);
    }
  } finally {
    await database.close();
  }
}
