import type { Queryable, Statement } from '../platform/database.ts';

/** Rows of the outbox looked through, from its old end: beyond that a row's age must do. */
const rowsMax = 2_000;

// The row that carries an order is written in its transaction, hence at its time: a later one is a request that
// was made again. Where the outbox is longer than what is looked through, an order younger than all of that is
// not yet published.
const findPublishedStatement: Statement = {
  name: 'orders_find_published',
  text: `
    with oldest as materialized (
      select created_at from orders.outbox order by seq limit ${rowsMax}
    ), seen as (
      select count(*) as rows, max(created_at) as newest from oldest
    )
    select orders.id, clock_timestamp() as at
      from orders.orders cross join seen
     where orders.id = any($1::uuid[])
       and (seen.rows < ${rowsMax} or orders.created_at <= seen.newest)
       and not exists (select from oldest where oldest.created_at = orders.created_at)`,
};

/** Those of the orders whose request has left the outbox, by id, with the moment this was seen. */
export async function findPublished(db: Queryable, ids: readonly string[]): Promise<Map<string, Date>> {
  const rows = await db.query<{ id: string; at: Date }>(findPublishedStatement, [ids]);
  return new Map(rows.map(({ id, at }) => [id, at]));
}
