import { messageId } from '../messaging/messages.ts';
import type { Queryable, Statement } from '../platform/database.ts';
import type { Decision } from './decisions.ts';

/** A payment as the tables have it. */
export interface ProgressRow {
  order_id: string;
  user_id: string;
  received_at: Date | null;
  decided_at: Date | null;
  outcome: Decision['outcome'] | null;
  reason: Decision['reason'];
  published: boolean;
}

/** Rows of the outbox looked through, from its old end: beyond that a row's age must do. */
const rowsMax = 2_000;

// The row that carries a result is written in the transaction of its decision, hence at its time: a later one
// answers a request that came again. Where the outbox is longer than what is looked through, a decision younger
// than all of that is not yet published.
const findProgressStatement: Statement = {
  name: 'payments_find_progress',
  text: `
    with oldest as materialized (
      select created_at from payments.outbox order by seq limit ${rowsMax}
    ), seen as (
      select count(*) as rows, max(created_at) as newest from oldest
    )
    select asked.order_id, coalesce(decided.user_id, received.user_id) as user_id, received.received_at, decided.decided_at, decided.outcome, decided.reason,
           decided.order_id is not null
             and (seen.rows < ${rowsMax} or decided.decided_at <= seen.newest)
             and not exists (select from oldest where oldest.created_at = decided.decided_at) as published
      from seen cross join unnest($1::uuid[], $2::uuid[]) as asked (order_id, message_id)
      left join payments.decisions decided on decided.order_id = asked.order_id
      left join payments.inbox received on received.message_id = asked.message_id
     where decided.order_id is not null or received.message_id is not null`,
};

/** How far the payments of these orders have come; one whose request has not arrived is missing. Ids in lower case. */
export async function findProgress(db: Queryable, orderIds: readonly string[]): Promise<ProgressRow[]> {
  const requestIds = orderIds.map((id) => messageId(id, 'payment.requested.v1'));
  return db.query<ProgressRow>(findProgressStatement, [[...orderIds], requestIds]);
}
