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
    .option('--watch', 'print each status until a final one; with --json a line each')
    .helped(
      [
        'order 0199f0a4-5f6b-7c3e-9d2a-3b1f0c8e7d65',
        'order 0199f0a4-5f6b-7c3e-9d2a-3b1f0c8e7d65 --watch --json',
      ],
      [5, 7, 130],
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

async function show({ gateway, terminal }: Client, id: string): Promise<void> {
  const { formatOrder } = await import('./terminal/order-text.ts');
  const order = await gateway.get<OrderView>(`/orders/${id}`);
  terminal.result(order, () => formatOrder(order, terminal.paint));
}

async function watch({ gateway, terminal }: Client, id: string): Promise<void> {
  const { followOrder } = await import('./gateway/follow-order.ts');
  const { formatStatusLine } = await import('./terminal/order-text.ts');
  for await (const order of followOrder(gateway, id, { signal: terminal.closed })) {
    terminal.streamed(order, () => formatStatusLine(order, terminal.paint));
  }
}
