import type pg from 'pg';

/** What became of orders, by the database's clocks. Tillbox and the programs it is compared with alike. */

/** The orders created since a moment. */
export interface OrderTimes {
  orders: number;
  settled: number;
  /** From the first one created to the last one settled. */
  seconds: number;
  /** From created to settled, in ms. */
  p50: number;
  p99: number;
}

/** The time at the database, to begin from. */
export async function databaseNow(admin: pg.Client): Promise<string> {
  const { rows } = await admin.query<{ now: string }>('select clock_timestamp()::text as now');
  return rows[0]?.now ?? '';
}

/** @param table such as orders.orders @param since as `databaseNow` said it */
export async function orderTimes(admin: pg.Client, table: string, since: string): Promise<OrderTimes> {
  const { rows } = await admin.query<OrderTimes>(
    `select count(*) as orders, count(settled_at) as settled,
            extract(epoch from max(settled_at) - min(created_at)) as seconds,
            percentile_cont(0.5) within group (order by 1000 * extract(epoch from settled_at - created_at)) as p50,
            percentile_cont(0.99) within group (order by 1000 * extract(epoch from settled_at - created_at)) as p99
       from ${table} where created_at >= $1`,
    [since],
  );
  const [times] = rows;
  if (times === undefined) throw new Error(`nothing came from ${table}`);
  return times;
}

/** Resolves when no order is NEW, or the time is over; answers how many are. */
export async function untilSettled(admin: pg.Client, table: string, msMax: number): Promise<number> {
  const deadline = performance.now() + msMax;
  for (;;) {
    const { rows } = await admin.query<{ count: number }>(
      `select count(*) from ${table} where status = 'NEW'`,
    );
    const waiting = rows[0]?.count ?? Number.NaN;
    if (waiting === 0 || performance.now() > deadline) return waiting;
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

/** Between two counts, which cost little: an index holds the orders that are NEW. */
const pollMs = 100;
