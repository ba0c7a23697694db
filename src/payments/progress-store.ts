import { messageId } from '../messaging/messages.ts';
import type { Queryable, Statement } from '../platform/database.ts';
import type { Decision } from './decisions.ts';

/** A payment as the tables have it. */
export interface ProgressRow {
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
    select coalesce(decided.user_id, received.user_id) as user_id, received.received_at, decided.decided_at, decided.outcome, decided.reason,
           decided.order_id is not null
             and (seen.rows < ${rowsMax} or decided.decided_at <= seen.newest)
             and not exists (select from oldest where oldest.created_at = decided.decided_at) as published
      from seen
      left join payments.decisions decided on decided.order_id = $1
      left join payments.inbox received on received.message_id = $2`,
};

/** How far the payment of an order has come; undefined before its request arrives. `orderId` in lower case. */
export async function findProgress(db: Queryable, orderId: string): Promise<ProgressRow | undefined> {
  const requestId = messageId(orderId, 'payment.requested.v1');
  const [row] = await db.query<ProgressRow>(findProgressStatement, [orderId, requestId]);
  return row === undefined || (row.received_at === null && row.decided_at === null) ? undefined : row;
}
