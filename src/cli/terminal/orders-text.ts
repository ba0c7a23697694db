import type { OrderView } from '../../orders/order.ts';
import { paintStatus } from './paint.ts';
import { formatTable } from './table.ts';
import type { Terminal } from './terminal.ts';
import { visible } from './terminal-text.ts';
import { formatLocalTime, formatShortTime } from './times.ts';

/** Columns below which a terminal is spared the reasons (`order ID` has them) and long times. */
const wideColumns = 120;

/** Orders as a table for people; nothing for none. */
export function formatOrders(orders: readonly OrderView[], { paint, columns }: Terminal): string {
  if (orders.length === 0) return '';
  const isNarrow = columns !== undefined && columns < wideColumns;
  const now = new Date();
  const reason = { heading: 'REASON', text: (order: OrderView) => visible(order.reason ?? '') };
  return formatTable(
    orders,
    [
      { heading: 'ID', text: ({ id }) => visible(id) },
      { heading: 'AMOUNT', text: ({ amount }) => visible(amount), align: 'right' },
      {
        heading: 'STATUS',
        text: ({ status }) => visible(status),
        paint: ({ status }, text) => paintStatus(paint, status, text),
      },
      ...(!isNarrow && orders.some((order) => order.reason !== null) ? [reason] : []),
      {
        heading: 'CREATED',
        text: ({ created_at }) => (isNarrow ? formatShortTime(created_at, now) : formatLocalTime(created_at)),
      },
      { heading: 'DESCRIPTION', text: ({ description }) => visible(description) },
    ],
    { paint, columns },
  );
}
