import type { OrderView } from '../orders/order.ts';
import type { Argument } from './arguments.ts';
import type { BatchOptions } from './batch/run-batch.ts';
import { optionWithDefault, type TillboxCommand } from './command.ts';
import type { Client } from './gateway/client.ts';

const waitSecondsDefault = '30';
/** A day: longer than any wait that makes sense. */
const waitSecondsMax = 86_400;

export const waitArgument: Argument<number> = {
  name: '--wait',
  field: 'wait',
  question: 'Seconds to wait',
  rule: `must be a whole number of seconds from 0 to ${waitSecondsMax}, such as --wait=30`,
  read: (text) => (/^\d{1,5}$/.test(text) && Number(text) <= waitSecondsMax ? Number(text) : undefined),
};

/** `tillbox create-order USER AMOUNT [DESCRIPTION…]`. */
export function addCreateOrder(program: TillboxCommand): void {
  program
    .command('create-order')
    .description('Create an order; its payment begins at once.')
    .usage('USER AMOUNT [DESCRIPTION…] [--wait[=SECONDS]] [options] | --batch [options] < FILE')
    .argument('[user]', 'who pays')
    .argument('[amount]', 'how much: 0.01 to 1000000000.00, at most two decimals')
    .argument('[description...]', 'what for, up to 500 characters; several words need no quotes')
    .addOption(
      optionWithDefault(
        '--wait [=seconds]',
        `wait until the order is final (default: ${waitSecondsDefault} s)`,
        waitSecondsDefault,
      ),
    )
    .writes()
    .batches({ user_id: 'alice', amount: '49.90', description: 'tickets' })
    .helped(
      ['create-order alice 49.90 two tickets --wait', 'create-order --batch < orders.ndjson'],
      [3, 4, 5, 6, 7, 124, 130],
    )
    .action(run);
}

async function run(
  user: string | undefined,
  amountText: string | undefined,
  words: string[],
  options: BatchOptions & { wait?: string },
  command: TillboxCommand,
) {
  const { readArgument } = await import('./arguments.ts');
  const waitSeconds = options.wait === undefined ? undefined : readArgument(waitArgument, options.wait);
  if (options.batch) {
    const { runBatch } = await import('./batch/run-batch.ts');
    const { addressOfOrder } = await import('./batch/batch-line.ts');
    return runBatch(command, options, { addressOf: addressOfOrder, waitSeconds });
  }
  const { openClient } = await import('./gateway/client.ts');
  const { amountArgument, descriptionArgument, requireArgument, userArgument } = await import(
    './arguments.ts'
  );
  const { writeOnce } = await import('./gateway/write-once.ts');
  const { formatOrder } = await import('./terminal/order-text.ts');
  const { nextStepOf } = await import('./next-steps.ts');
  const client = await openClient(command);
  const { terminal } = client;
  const userId = await requireArgument(userArgument, user, { terminal, command });
  const amount = await requireArgument(amountArgument, amountText, { terminal, command });
  const description = readArgument(descriptionArgument, words.join(' '));
  const created = await writeOnce<OrderView>(client, {
    path: '/orders',
    body: { user_id: userId, amount, description },
    idempotencyKey: options.idempotencyKey,
    noun: 'order',
  });
  client.remember({ users: [userId], orders: [created.id] });
  const order = waitSeconds === undefined ? created : await untilFinal(client, created, waitSeconds);
  terminal.result(order, () => formatOrder(order, terminal));
  terminal.hint(nextStepOf(order));
  if (waitSeconds !== undefined) await judge(order, waitSeconds);
}

/** The order once it is final, or as it was last seen when the time is over. */
async function untilFinal(client: Client, created: OrderView, waitSeconds: number): Promise<OrderView> {
  // The order goes on without us; its id is all that is needed.
  client.interruptionNotice = `The order goes on. Look at it with tillbox order ${created.id}`;
  const signal = AbortSignal.any([AbortSignal.timeout(waitSeconds * 1_000), client.terminal.closed]);
  const options = { signal, known: created };
  let order = created;
  if (client.terminal.isLive) {
    const { watchSteps } = await import('./gateway/watch-steps.ts');
    order = (await watchSteps(client, created.id, options)) ?? created;
  } else {
    const { followOrder } = await import('./gateway/follow-order.ts');
    for await (const next of followOrder(client.gateway, created.id, options)) order = next;
  }
  client.interruptionNotice = undefined;
  return order;
}

/** What became of an order that was waited for, as an exit code. */
async function judge(order: OrderView, waitSeconds: number): Promise<void> {
  if (order.status === 'FINISHED') return;
  if (order.status === 'CANCELED') {
    const { ExitWith } = await import('./report-error.ts');
    throw new ExitWith(3);
  }
  const { CodedError } = await import('../platform/errors.ts');
  const ways = `It goes on: tillbox order ${order.id} --watch; where it stands and why: tillbox trace ${order.id}`;
  const detail = `The order is not final after ${waitSeconds} s. ${ways}`;
  throw new CodedError('wait-timeout', detail);
}
