import type { BatchOptions } from './batch/run-batch.ts';
import type { TillboxCommand } from './command.ts';
import { visible } from './terminal/terminal-text.ts';

/** A top-up as the gateway answers it. */
interface TopupView {
  id: string;
  amount: string;
  balance: string;
}

/** `tillbox topup USER AMOUNT`. */
export function addTopup(program: TillboxCommand): void {
  program
    .command('topup')
    .description('Put money into an account.')
    .usage('USER AMOUNT [options] | --batch [options] < FILE')
    .argument('[user]', 'whose account')
    .argument('[amount]', 'how much: 0.01 to 1000000000.00, at most two decimals')
    .writes()
    .batches({ user_id: 'alice', amount: '100' })
    .helped(
      [
        'topup alice 100',
        'topup alice 49.90 --idempotency-key invoice-4711',
        'topup --batch < topups.ndjson',
      ],
      [4, 5, 6, 7, 130],
    )
    .action(run);
}

async function run(
  user: string | undefined,
  amountText: string | undefined,
  options: BatchOptions,
  command: TillboxCommand,
) {
  if (options.batch) {
    const { runBatch } = await import('./batch/run-batch.ts');
    const { addressOfTopup } = await import('./batch/batch-line.ts');
    return runBatch(command, options, { addressOf: addressOfTopup });
  }
  const { openClient } = await import('./gateway/client.ts');
  const { amountArgument, requireArgument, userArgument } = await import('./arguments.ts');
  const { writeOnce } = await import('./gateway/write-once.ts');
  const client = await openClient(command);
  const place = { terminal: client.terminal, command };
  const userId = await requireArgument(userArgument, user, place);
  const amount = await requireArgument(amountArgument, amountText, place);
  const topup = await writeOnce<TopupView>(client, {
    path: `/accounts/${userId}/topups`,
    body: { amount },
    idempotencyKey: options.idempotencyKey,
    noun: 'top-up',
  });
  client.remember({ users: [userId] });
  client.terminal.result(topup, () =>
    visible(`Topped up ${userId} by ${topup.amount}; the balance is ${topup.balance}.`),
  );
}
