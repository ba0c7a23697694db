import type { OrderView } from '../../orders/order.ts';
import type { PaymentView } from '../../payments/payment-progress.ts';
import { formatStatus } from './order-text.ts';
import { type Paint, paintStatus } from './paint.ts';
import { formatElapsed, formatMs } from './times.ts';

/** The six steps of an order, by what has happened when each is done. */
export const orderSteps = ['created', 'published', 'received', 'decided', 'published', 'settled'] as const;

/** What is known of an order on its way; from different places, so that any of it may come first. */
export interface OrderProgress {
  order: OrderView | undefined;
  /** Whether its request has left the outbox of orders. */
  published: boolean;
  /** How far its payment has come, once its request has arrived. */
  payment: PaymentView | undefined;
}

/** How many of the steps are done. A later one that is seen has had those before it. */
export function stepsDone({ order, published, payment }: OrderProgress): number {
  if (order !== undefined && order.status !== 'NEW') return orderSteps.length;
  if (payment !== undefined) return payment.decided_at === null ? 3 : payment.published ? 5 : 4;
  if (published) return 2;
  return order === undefined ? 0 : 1;
}

/**
 * The steps as one line of at most `columns`: all of them where there is room, else how many are done and
 * which was the last. Ends with the time taken, so far or in all.
 */
export function formatSteps(
  progress: OrderProgress,
  { columns, paint, elapsedMs }: { columns: number; paint: Paint; elapsedMs: number },
): string {
  const done = stepsDone(progress);
  const { order } = progress;
  const time = order?.settled_at ? formatElapsed(order.created_at, order.settled_at) : formatMs(elapsedMs);
  const all = orderSteps.map((step, index) => `${markOf(index, done)} ${step}`);
  if ([...all, time].join('  ').length < columns) {
    return [...all.map((text, index) => paintStep(paint, text, index, done)), paint.faint(time)].join('  ');
  }
  const last = orderSteps[done - 1];
  const short = `${done}/${orderSteps.length}${last === undefined ? '' : ` ${last}`}`;
  return `${done === orderSteps.length ? paint.good(short) : paint.open(short)}  ${paint.faint(time)}`;
}

/** What became of a final order, and how long it took: a line. */
export function formatVerdict(order: OrderView, paint: Paint): string {
  const time = order.settled_at === null ? '' : ` after ${formatElapsed(order.created_at, order.settled_at)}`;
  return `${paintStatus(paint, order.status, formatStatus(order))}${time}`;
}

/** Done, going on, or to come; told without colour as well. */
function markOf(index: number, done: number): string {
  if (index < done) return '✓';
  return index === done ? '…' : '·';
}

function paintStep(paint: Paint, text: string, index: number, done: number): string {
  if (index < done) return paint.good(text);
  return index === done ? paint.open(text) : paint.faint(text);
}
