import type { Queryable, Statement } from '../platform/database.ts';

/** How much waits in an outbox or in the inbox: one read-only statement, bounded however long a queue is. */

/** How an outbox or the inbox stands. Beyond the rows counted, the numbers they cover are nearest. */
export interface StoredDepth {
  name: string;
  /** Rows, and the messages in them, up to the limit of the statement and one more. */
  rows: bigint;
  messages: bigint;
  /** The numbers (seq) from the oldest row to the newest. */
  span: bigint;
  oldest_s: number | null;
}

function storedDepth(
  place: { name: string; table: string; where: string; time: string; messages: string },
  countedMax: number,
) {
  const { name, table, where, time, messages } = place;
  const end = (direction: 'asc' | 'desc', column: string) =>
    `(select ${column} from ${table} where ${where} order by seq ${direction} limit 1)`;
  return `
    select '${name}' as name, rows, messages,
           coalesce(${end('desc', 'seq')} - ${end('asc', 'seq')} + 1, 0) as span,
           extract(epoch from now() - ${end('asc', time)})::float8 as oldest_s
      from (select count(*) as rows, coalesce(sum(messages), 0)::bigint as messages
              from (select ${messages} as messages from ${table} where ${where} limit ${countedMax + 1}) as counted
           ) as counted`;
}

function outboxDepth(schema: 'orders' | 'payments', countedMax: number): string {
  return storedDepth(
    {
      name: `${schema}-outbox`,
      table: `${schema}.outbox`,
      where: 'true',
      time: 'created_at',
      messages: 'message_count',
    },
    countedMax,
  );
}

function inboxDepth(countedMax: number): string {
  return storedDepth(
    {
      name: 'payments-inbox',
      table: 'payments.inbox',
      where: 'processed_at is null',
      time: 'received_at',
      messages: '1',
    },
    countedMax,
  );
}

/**
 * What measures the places of one service's schema: the outbox of orders (one row), or the inbox and the outbox of
 * payments (two).
 * @param countedMax rows counted one by one; a longer queue is to be estimated
 */
export function depthStatement(name: string, schema: 'orders' | 'payments', countedMax: number): Statement {
  const outbox = outboxDepth(schema, countedMax);
  return { name, text: schema === 'orders' ? outbox : `${inboxDepth(countedMax)} union all ${outbox}` };
}

/** The messages that wait; an estimate when not all rows were counted. */
export function depthOf({ rows, messages, span }: StoredDepth, countedMax: number): number {
  const [counted, found] = [Number(rows), Number(messages)];
  if (counted <= countedMax) return found;
  return Math.round((found / counted) * Math.max(counted, Number(span)));
}

/** A million rows take a third of a second to count; this many, some milliseconds, every time somebody looks. */
const scrapedMax = 10_000;

/** The places of a service with the messages that wait in each, and the age of the oldest in seconds. */
export async function readDepths(
  db: Queryable,
  schema: 'orders' | 'payments',
): Promise<{ name: string; depth: number; oldestSeconds: number }[]> {
  const rows = await db.query<StoredDepth>(depthStatement(`depths_${schema}`, schema, scrapedMax));
  return rows.map((row) => ({
    name: row.name,
    depth: depthOf(row, scrapedMax),
    oldestSeconds: Math.max(0, row.oldest_s ?? 0),
  }));
}
