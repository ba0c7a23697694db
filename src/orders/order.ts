import type { PaymentResult } from '../messaging/messages.ts';
import { formatAmount } from '../platform/money.ts';

/** NEW until its payment is decided, then final: FINISHED (paid) or CANCELED (declined). */
export const orderStatuses = ['NEW', 'FINISHED', 'CANCELED'] as const;
export type OrderStatus = (typeof orderStatuses)[number];

/** An order. `amount` in minor units; `reason` says why it was canceled. */
export interface Order {
  id: string;
  userId: string;
  amount: bigint;
  description: string;
  status: OrderStatus;
  reason: string | null;
  createdAt: Date;
  settledAt: Date | null;
}

/** What a client asks for. */
export interface OrderRequest {
  userId: string;
  amount: bigint;
  description: string;
  idempotencyKey: string | undefined;
  traceparent: string | undefined;
}

/** What a payment result makes of an order of that user and amount. */
export interface Settlement {
  orderId: string;
  userId: string;
  amount: bigint;
  status: Exclude<OrderStatus, 'NEW'>;
  reason: string | null;
}

export function isFinal(order: Pick<Order, 'status'>): boolean {
  return order.status !== 'NEW';
}

/** The settlement a payment result stands for. */
export function settlementOf(result: PaymentResult): Settlement {
  const { orderId, userId, amount } = result;
  return result.type === 'payment.succeeded.v1'
    ? { orderId, userId, amount, status: 'FINISHED', reason: null }
    : { orderId, userId, amount, status: 'CANCELED', reason: result.reason };
}

/** Whether an order is what a settlement makes of it. */
export function isSettledAs(order: Order, settlement: Settlement): boolean {
  const { userId, amount, status, reason } = settlement;
  return (
    order.userId === userId && order.amount === amount && order.status === status && order.reason === reason
  );
}

/** Whether a request that came under the key of an existing order asks for that same order. */
export function isSameRequest(order: Order, request: OrderRequest): boolean {
  return (
    order.userId === request.userId &&
    order.amount === request.amount &&
    order.description === request.description
  );
}

/** The order as it was when it was created: what a repeated request is answered with. */
export function asCreated(order: Order): Order {
  return { ...order, status: 'NEW', reason: null, settledAt: null };
}

/** The order as clients see it, in HTTP and in `--json`. */
export interface OrderView {
  id: string;
  user_id: string;
  amount: string;
  description: string;
  status: OrderStatus;
  reason: string | null;
  created_at: string;
  settled_at: string | null;
}

export function viewOrder(order: Order): OrderView {
  return {
    id: order.id,
    user_id: order.userId,
    amount: formatAmount(order.amount),
    description: order.description,
    status: order.status,
    reason: order.reason,
    created_at: order.createdAt.toISOString(),
    settled_at: order.settledAt?.toISOString() ?? null,
  };
}
