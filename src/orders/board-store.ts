import type { SettleTimes } from '../platform/board-report.ts';
import type { Queryable, Statement } from '../platform/database.ts';

/** What the board wants to know of the orders as they come: by the primary key, as ids rise with time (UUID version 7). */

/** The orders whose times are looked at. */
const timedMax = 500;

const newestStatement: Statement = {
  name: 'board_newest',
  text: 'select id from orders.orders order by id desc limit $1',
};

/** Ids of the newest orders of all users. */
export async function findNewest(db: Queryable, limit: number): Promise<string[]> {
  return (await db.query<{ id: string }>(newestStatement, [limit])).map(({ id }) => id);
}

const settleTimesStatement: Statement = {
  name: 'board_settle_times',
  text: `
    with newest as materialized (
      select created_at, settled_at from orders.orders order by id desc limit ${timedMax}
    )
    select count(*)::int as orders,
           percentile_cont(0.5) within group (order by ms) as p50,
           percentile_cont(0.95) within group (order by ms) as p95
      from (select (extract(epoch from settled_at - created_at) * 1000)::float8 as ms
              from newest where settled_at is not null) as settled`,
};

/** How long those of the newest 500 orders took that are settled. */
export async function readSettleTimes(db: Queryable): Promise<SettleTimes> {
  const [row] = await db.query<SettleTimes>(settleTimesStatement);
  return { p50: tenths(row?.p50), p95: tenths(row?.p95), orders: row?.orders ?? 0 };
}

function tenths(ms: number | null | undefined): number | null {
  return ms === null || ms === undefined ? null : Math.round(ms * 10) / 10;
}
