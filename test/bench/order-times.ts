import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';

/** What became of orders, by the database's clocks. Tillbox and the programs it is compared with alike. */

/** Where orders are: their table, and what tells of those that wait. */
export interface OrderPlace {
  table: string;
  /** Has a row for each order that is NEW. */
  waiting: string;
}

/** Where tillbox has them. */
export const tillboxOrders: OrderPlace = { table: 'orders.orders', waiting: 'orders.waiting' };
/** Where the programs it is compared with have them. */
export const programOrders: OrderPlace = { table: 'orders', waiting: `orders where status = 'NEW'` };

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

/** @param since as `databaseNow` said it */
export async function orderTimes(
  admin: pg.Client,
  { table }: OrderPlace,
  since: string,
): Promise<OrderTimes> {
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
export async function untilSettled(
  admin: pg.Client,
  { waiting }: OrderPlace,
  msMax: number,
): Promise<number> {
  const deadline = performance.now() + msMax;
  for (;;) {
    const { rows } = await admin.query<{ any: boolean }>(`select exists (select from ${waiting}) as any`);
    if (rows[0]?.any === false) return 0;
    if (performance.now() > deadline) break;
    await sleep(pollMs);
  }
  const { rows } = await admin.query<{ count: number }>(`select count(*) from ${waiting}`);
  return rows[0]?.count ?? Number.NaN;
}

/** Between two looks, which cost little: the first order that waits ends one. */
const pollMs = 100;
