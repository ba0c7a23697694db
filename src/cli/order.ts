import type { OrderView } from '../orders/order.ts';
import type { TillboxCommand } from './command.ts';
import type { Client } from './gateway/client.ts';

/** `tillbox order ID`. */
export function addOrder(program: TillboxCommand): void {
  program
    .command('order')
    .description('Print one order, or watch it until it is final.')
    .usage('ID [--watch] [options]')
    .argument('[id]', 'the order, as create-order and orders print it')
    .option(
      '--watch',
      'follow it until it is final: its steps on a terminal, a line for each status elsewhere',
    )
    .helped(
      [
        'order 0199f0a4-5f6b-7c3e-9d2a-3b1f0c8e7d65',
        'order 0199f0a4-5f6b-7c3e-9d2a-3b1f0c8e7d65 --watch --json',
      ],
      [4, 5, 7, 130],
    )
    .action(run);
}

async function run(id: string | undefined, options: { watch?: boolean }, command: TillboxCommand) {
  const { openClient } = await import('./gateway/client.ts');
  const { orderIdArgument, requireArgument } = await import('./arguments.ts');
  const client = await openClient(command);
  const orderId = await requireArgument(orderIdArgument, id, { terminal: client.terminal, command });
  await (options.watch === true ? watch(client, orderId) : show(client, orderId));
}

async function show({ gateway, terminal, remember }: Client, id: string): Promise<void> {
  const { formatOrder } = await import('./terminal/order-text.ts');
  const order = await gateway.get<OrderView>(`/orders/${id}`);
  remember({ users: [order.user_id], orders: [order.id] });
  terminal.result(order, () => formatOrder(order, terminal));
  if (order.status === 'NEW') terminal.hint(`See where it stands: tillbox trace ${id}`);
}

async function watch(client: Client, id: string): Promise<void> {
  const { gateway, terminal } = client;
  if (terminal.isLive) {
    const { watchSteps } = await import('./gateway/watch-steps.ts');
    const { formatVerdict } = await import('./terminal/order-steps.ts');
    const { wrap } = await import('./terminal/wrap.ts');
    const order = await watchSteps(client, id, { signal: terminal.closed });
    if (order !== undefined) {
      const verdict = () => wrap(formatVerdict(order, terminal.paint), terminal.columns).join('\n');
      terminal.streamed(order, verdict);
    }
    return;
  }
  const { followOrder } = await import('./gateway/follow-order.ts');
  const { formatStatusLine } = await import('./terminal/order-text.ts');
  for await (const order of followOrder(gateway, id, { signal: terminal.closed })) {
    terminal.streamed(order, () => formatStatusLine(order, terminal.paint));
  }
}
