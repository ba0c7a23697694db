import type { OrderStatus, OrderView } from '../orders/order.ts';
import type { Argument } from './arguments.ts';
import type { TillboxCommand } from './command.ts';
import type { Terminal } from './terminal/terminal.ts';

const statuses: readonly OrderStatus[] = ['NEW', 'FINISHED', 'CANCELED'];

/** Columns below which a terminal is spared the reasons (`order ID` has them) and long times. */
const wideColumns = 120;

const statusArgument: Argument<string> = {
  name: '--status',
  field: 'status',
  question: 'Status',
  rule: `must be one of ${statuses.join(', ')}`,
  read: (text) => statuses.find((status) => status === text.toUpperCase()),
};

/** `tillbox orders USER`. */
export function addOrders(program: TillboxCommand): void {
  program
    .command('orders')
    .description("List a user's orders, newest first.")
    .usage('USER [options]')
    .argument('[user]', 'whose orders')
    .option('--status <status>', `only these: ${statuses.join(', ')}`)
    .option('--limit <n>', 'orders at most, 1 to 10000 (default: 50)')
    .option('--cursor <cursor>', 'go on where an earlier list ended')
    .pages()
    .helped(['orders alice', 'orders alice --status CANCELED --limit 10'], [7])
    .action(run);
}

async function run(
  user: string | undefined,
  options: { status?: string; limit?: string; cursor?: string },
  command: TillboxCommand,
) {
  const { openClient } = await import('./gateway/client.ts');
  const { readArgument, requireArgument, userArgument } = await import('./arguments.ts');
  const { limitArgument, readPages, rowsDefault } = await import('./gateway/pages.ts');
  const { gateway, terminal, remember } = await openClient(command);
  const status = options.status === undefined ? undefined : readArgument(statusArgument, options.status);
  const limit = options.limit === undefined ? rowsDefault : readArgument(limitArgument, options.limit);
  const userId = await requireArgument(userArgument, user, { terminal, command });
  const query = { user_id: userId, status, cursor: options.cursor };
  const list = await readPages<OrderView>(gateway, { path: '/orders', query, field: 'orders', limit });
  if (list.rows.length > 0) remember({ users: [userId], orders: list.rows.map(({ id }) => id) });
  const text = await formatOrders(list.rows, terminal);
  await terminal.list({ orders: list.rows, next_cursor: list.next_cursor }, () => text);
  if (list.rows.length === 0) terminal.note(`User ${userId} has no ${status ? `${status} ` : ''}orders.`);
  else terminal.noteMore(list.next_cursor);
}

async function formatOrders(orders: readonly OrderView[], { paint, columns }: Terminal): Promise<string> {
  if (orders.length === 0) return '';
  const { formatTable } = await import('./terminal/table.ts');
  const { formatLocalTime, formatShortTime } = await import('./terminal/times.ts');
  const { visible } = await import('./terminal/terminal-text.ts');
  const { paintStatus } = await import('./terminal/paint.ts');
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
