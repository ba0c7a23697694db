import type { OrderView } from '../../orders/order.ts';
import { formatFields } from './fields.ts';
import { type Paint, paintStatus } from './paint.ts';
import type { Terminal } from './terminal.ts';
import { visible } from './terminal-text.ts';
import { formatElapsed, formatLocalTime } from './times.ts';

/** One order for people: a line a field. */
export function formatOrder(
  order: OrderView,
  { paint, columns }: Pick<Terminal, 'paint' | 'columns'>,
): string {
  const { created_at, settled_at, description } = order;
  const settled =
    settled_at === null
      ? undefined
      : `${formatLocalTime(settled_at)} (after ${formatElapsed(created_at, settled_at)})`;
  return formatFields(
    [
      ['Order', visible(order.id)],
      ['User', visible(order.user_id)],
      ['Amount', visible(order.amount)],
      ['Status', paintStatus(paint, order.status, formatStatus(order))],
      ['Created', formatLocalTime(created_at)],
      ['Settled', settled],
      ['Description', description === '' ? undefined : visible(description), 'prose'],
    ],
    paint,
    columns,
  );
}

/** One status of a watched order for people: a line. */
export function formatStatusLine(order: OrderView, paint: Paint): string {
  const time = formatLocalTime(order.settled_at ?? order.created_at);
  return `${paint.faint(time)}  ${paintStatus(paint, order.status, formatStatus(order))}`;
}

/** An order's status with the reason, if it has one. */
export function formatStatus({ status, reason }: OrderView): string {
  return visible(reason === null ? status : `${status} (${reason})`);
}
