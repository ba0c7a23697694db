import type { OrderStatus, OrderView } from '../orders/order.ts';
import type { Argument } from './arguments.ts';
import type { TillboxCommand } from './command.ts';
import type { Client } from './gateway/client.ts';
import type { Rows } from './gateway/pages.ts';

/** What an order can be. */
export const orderStatuses: readonly OrderStatus[] = ['NEW', 'FINISHED', 'CANCELED'];

const statusArgument: Argument<string> = {
  name: '--status',
  field: 'status',
  question: 'Status',
  rule: `must be one of ${orderStatuses.join(', ')}`,
  read: (text) => orderStatuses.find((status) => status === text.toUpperCase()),
};

/** `tillbox orders USER`. */
export function addOrders(program: TillboxCommand): void {
  program
    .command('orders')
    .description("List a user's orders, newest first.")
    .usage('USER [options]')
    .argument('[user]', 'whose orders')
    .option('--status <status>', `only these: ${orderStatuses.join(', ')}`)
    .option('--limit <n>', 'orders at most, 1 to 10000 (default: 50)')
    .option('--cursor <cursor>', 'go on where an earlier list ended')
    .pages()
    .suggests('--status', orderStatuses)
    .helped(['orders alice', 'orders alice --status CANCELED --limit 10'], [4, 5, 7, 130])
    .action(run);
}

async function run(
  user: string | undefined,
  options: { status?: string; limit?: string; cursor?: string },
  command: TillboxCommand,
) {
  const { openClient } = await import('./gateway/client.ts');
  const { readArgument, requireArgument, userArgument } = await import('./arguments.ts');
  const { limitArgument, rowsDefault } = await import('./gateway/pages.ts');
  const { formatOrders } = await import('./terminal/orders-text.ts');
  const client = await openClient(command);
  const { terminal } = client;
  const status = options.status === undefined ? undefined : readArgument(statusArgument, options.status);
  const limit = options.limit === undefined ? rowsDefault : readArgument(limitArgument, options.limit);
  const userId = await requireArgument(userArgument, user, { terminal, command });
  const list = await readOrders(client, { userId, status, limit, cursor: options.cursor });
  await terminal.list({ orders: list.rows, next_cursor: list.next_cursor }, () =>
    formatOrders(list.rows, terminal),
  );
  if (list.rows.length === 0) terminal.note(`User ${userId} has no ${status ? `${status} ` : ''}orders.`);
  else terminal.noteMore(list.next_cursor);
}

/** Reads a user's orders, newest first: up to `limit` behind a cursor. */
export async function readOrders(
  { gateway, remember }: Client,
  wanted: { userId: string; limit: number; status?: string | undefined; cursor?: string | undefined },
): Promise<Rows<OrderView>> {
  const { readPages } = await import('./gateway/pages.ts');
  const { userId, status, cursor, limit } = wanted;
  const query = { user_id: userId, status, cursor };
  const list = await readPages<OrderView>(gateway, { path: '/orders', query, field: 'orders', limit });
  if (list.rows.length > 0) remember({ users: [userId], orders: list.rows.map(({ id }) => id) });
  return list;
}
