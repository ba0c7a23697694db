import { messageId } from '../messaging/messages.ts';
import type { Queryable, Statement } from '../platform/database.ts';
import { CodedError } from '../platform/errors.ts';
import type { Decision } from './decisions.ts';

/** How far the payment of an order has come, as HTTP shows it. */
export interface PaymentView {
  order_id: string;
  /** When its request was received; null where that has been pruned. */
  received_at: string | null;
  decided_at: string | null;
  outcome: Decision['outcome'] | null;
  reason: Decision['reason'];
  /** Whether the decision has left for the orders service. */
  published: boolean;
}

/** Rows of the outbox looked through, from its old end: beyond that a row's age must do. */
const rowsMax = 2_000;

// The result's row is the one written with the decision: a later one answers a request that came again.
// Where the outbox is longer than what is looked through, a decision younger than all of that is not yet
// published.
const findProgressStatement: Statement = {
  name: 'payments_find_progress',
  text: `
    with oldest as materialized (
      select message ->> 'subject' as order_id, created_at from payments.outbox order by seq limit ${rowsMax}
    ), seen as (
      select count(*) as rows, max(created_at) as newest from oldest
    )
    select received.received_at, decided.decided_at, decided.outcome, decided.reason,
           decided.order_id is not null
             and (seen.rows < ${rowsMax} or decided.decided_at <= seen.newest)
             and not exists (select from oldest where oldest.order_id = decided.order_id::text
                                and oldest.created_at = decided.decided_at) as published
      from seen
      left join payments.decisions decided on decided.order_id = $1
      left join payments.inbox received on received.message_id = $2`,
};

/** How far the payment of an order has come. @throws CodedError `payment-not-found` before its request arrives */
export async function findPaymentProgress(db: Queryable, orderId: string): Promise<PaymentView> {
  const id = orderId.toLowerCase();
  const [row] = await db.query<{
    received_at: Date | null;
    decided_at: Date | null;
    outcome: Decision['outcome'] | null;
    reason: Decision['reason'];
    published: boolean;
  }>(findProgressStatement, [id, messageId(id, 'payment.requested.v1')]);
  if (row === undefined || (row.received_at === null && row.decided_at === null)) {
    const detail = `No payment request of an order ${id} has arrived. Look at the order with GET /orders/${id}, or tillbox order ${id}.`;
    throw new CodedError('payment-not-found', detail);
  }
  const { received_at, decided_at, ...rest } = row;
  const time = (at: Date | null) => at?.toISOString() ?? null;
  return { order_id: id, received_at: time(received_at), decided_at: time(decided_at), ...rest };
}
