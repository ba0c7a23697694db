import pg from 'pg';
import { formatAmount } from '../../platform/money.ts';
import type { DatabaseUrls } from '../../system/migrate.ts';
import type { StoredWrite } from './client-record.ts';
import type { FinalOrder } from './faults.ts';

/** What a chaos run reads of the databases, past all links, with SQL of its own. */

const connectMs = 2_000;

async function read<Row extends object>(url: string, text: string, values: unknown[] = []): Promise<Row[]> {
  const client = new pg.Client({
    connectionString: url,
    application_name: 'tillbox chaos',
    connectionTimeoutMillis: connectMs,
    query_timeout: 60_000,
  });
  client.on('error', () => {});
  try {
    await client.connect();
    return (await client.query<Row>(text, values)).rows;
  } finally {
    await client.end().catch(() => {});
  }
}

/** Some orders that are final. */
export async function readFinalOrders(urls: DatabaseUrls): Promise<FinalOrder[]> {
  const rows = await read<{
    id: string;
    user_id: string;
    amount: string;
    status: string;
    reason: string | null;
  }>(
    urls.orders,
    `select id, user_id, amount, status, reason from orders.orders where status <> 'NEW'
      order by created_at desc limit 200`,
  );
  return rows.map(({ user_id, amount, ...row }) => ({
    ...row,
    userId: user_id,
    amount: formatAmount(BigInt(amount)),
  }));
}

/** Every order and top-up with its idempotency key. */
export async function readStoredWrites(urls: DatabaseUrls): Promise<StoredWrite[]> {
  type Row = { key: string | null; id: string; user_id: string; amount: string };
  const orders = await read<Row>(
    urls.orders,
    'select idempotency_key as key, id, user_id, amount from orders.orders',
  );
  const topups = await read<Row>(
    urls.payments,
    'select idempotency_key as key, id, user_id, amount from payments.topups',
  );
  const toWrite = (kind: StoredWrite['kind']) => (row: Row) => ({
    kind,
    key: row.key ?? '(none)',
    id: row.id,
    userId: row.user_id,
    amount: formatAmount(BigInt(row.amount)),
  });
  return [...orders.map(toWrite('order')), ...topups.map(toWrite('topup'))];
}

/** How many orders are not final yet. */
export async function countNewOrders(urls: DatabaseUrls): Promise<number> {
  const [row] = await read<{ count: string }>(
    urls.orders,
    `select count(*) from orders.orders where status = 'NEW'`,
  );
  return Number(row?.count);
}

/** How often requests were delivered, how many there were, and the longest an order took, in ms. */
export async function readDeliveries(
  urls: DatabaseUrls,
): Promise<{ deliveries: number; duplicates: number; slowestMs: number }> {
  const [inbox] = await read<{ deliveries: string; messages: string }>(
    urls.payments,
    'select coalesce(sum(deliveries), 0) as deliveries, count(*) as messages from payments.inbox',
  );
  const [slowest] = await read<{ ms: string }>(
    urls.orders,
    'select coalesce(max(extract(epoch from settled_at - created_at)) * 1000, 0) as ms from orders.orders',
  );
  const deliveries = Number(inbox?.deliveries);
  return {
    deliveries,
    duplicates: deliveries - Number(inbox?.messages),
    slowestMs: Math.round(Number(slowest?.ms)),
  };
}

/** Dead letters: the poison found in them, and those that were no poison of ours. */
export async function readDeadLetters(
  urls: DatabaseUrls,
): Promise<{ poison: Set<string>; others: string[] }> {
  const rows = await read<{ poison: string | null; reason: string | null; id: string }>(
    urls.broker,
    `select id, data -> 'dead_letter' ->> 'reason' as reason, message ->> 'poison' as poison
       from broker.job, jsonb_array_elements(data -> 'messages') as message
      where name like '%-dead-letters' and state in ('created', 'retry', 'active', 'failed')`,
  );
  return {
    poison: new Set(rows.flatMap(({ poison }) => (poison === null ? [] : [poison]))),
    others: rows.filter(({ poison }) => poison === null).map(({ id, reason }) => `${id} (${reason})`),
  };
}

/** A message that its job acknowledged before the message had taken effect, or not at all. */
export interface EarlyAcknowledgement {
  orderId: string;
  queue: string;
  detail: string;
}

/**
 * Completed jobs whose messages had not taken effect by then: a request that was not in the inbox, a result
 * whose order was not final. All clocks are one machine's. Poison is left out: it takes no effect.
 */
export async function readEarlyAcknowledgements(urls: DatabaseUrls): Promise<EarlyAcknowledgement[]> {
  const acknowledged = await read<{ name: string; order_id: string; at: Date }>(
    urls.broker,
    `select name, message ->> 'subject' as order_id, min(completed_on) as at
       from broker.job, jsonb_array_elements(data -> 'messages') as message
      where name in ('payment-requests', 'payment-results') and state = 'completed'
        and message ->> 'poison' is null and message ->> 'specversion' = '1.0'
      group by 1, 2`,
  );
  const received = await read<{ order_id: string; at: Date }>(
    urls.payments,
    'select order_id, min(received_at) as at from payments.inbox group by 1',
  );
  const settled = await read<{ order_id: string; at: Date }>(
    urls.orders,
    'select id as order_id, settled_at as at from orders.orders where settled_at is not null',
  );
  const tookEffect = {
    'payment-requests': new Map(received.map(({ order_id, at }) => [order_id, at])),
    'payment-results': new Map(settled.map(({ order_id, at }) => [order_id, at])),
  };
  return acknowledged.flatMap(({ name, order_id, at }) => {
    const effect = tookEffect[name as keyof typeof tookEffect].get(order_id);
    if (effect !== undefined && effect <= at) return [];
    const when = effect === undefined ? 'has taken no effect' : `took effect at ${effect.toISOString()}`;
    return [{ orderId: order_id, queue: name, detail: `acknowledged at ${at.toISOString()}, and ${when}` }];
  });
}

/** Orders whose request is in the inbox more than once. */
export async function readInboxDuplicates(urls: DatabaseUrls): Promise<{ orderId: string; count: number }[]> {
  const rows = await read<{ order_id: string; count: string }>(
    urls.payments,
    'select order_id, count(*) from payments.inbox group by 1 having count(*) > 1 limit 100',
  );
  return rows.map(({ order_id, count }) => ({ orderId: order_id, count: Number(count) }));
}
