import { depthStatement } from '../messaging/depth-store.ts';
import { queueDepthStatement } from '../messaging/queue-depth-store.ts';
import type { Statement } from '../platform/database.ts';

/** The SQL that measures queues: one read-only statement for each database, bounded however long a queue is. */

/** Rows counted one by one; a longer queue is estimated. A million takes a third of a second. */
export const countedMax = 500_000;

/** One row: the outbox of orders. */
export const ordersStatement: Statement = depthStatement('queues_orders', 'orders', countedMax);
/** Two rows: the inbox and the outbox of payments. */
export const paymentsStatement: Statement = depthStatement('queues_payments', 'payments', countedMax);

/** One row for each of these queues, in this order. */
export function brokerStatement(names: readonly string[]): Statement {
  return queueDepthStatement('queues_broker', names, countedMax);
}
