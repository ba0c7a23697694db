import type { Queryable } from '../platform/database.ts';
import { CodedError } from '../platform/errors.ts';
import { mayActFor, type Principal } from '../platform/identity/principal.ts';
import type { Decision } from './decisions.ts';
import { findProgress } from './progress-store.ts';

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

/**
 * How far the payment of an order has come. @throws CodedError `payment-not-found` before its request arrives, and to
 * who may not act for its user
 */
export async function findPaymentProgress(
  db: Queryable,
  orderId: string,
  principal: Principal,
): Promise<PaymentView> {
  const id = orderId.toLowerCase();
  const [row] = await findProgress(db, [id]);
  if (row === undefined || !mayActFor(principal, row.user_id)) {
    const detail = `No payment request of an order ${id} has arrived. Look at the order with GET /orders/${id}, or tillbox order ${id}.`;
    throw new CodedError('payment-not-found', detail);
  }
  const { user_id: _user, order_id: _order, received_at, decided_at, ...rest } = row;
  const time = (at: Date | null) => at?.toISOString() ?? null;
  return { order_id: id, received_at: time(received_at), decided_at: time(decided_at), ...rest };
}
