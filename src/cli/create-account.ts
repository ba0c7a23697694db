import type { AccountView } from '../payments/account.ts';
import type { BatchOptions } from './batch/run-batch.ts';
import type { TillboxCommand } from './command.ts';

/** `tillbox create-account USER`. */
export function addCreateAccount(program: TillboxCommand): void {
  program
    .command('create-account')
    .description('Create an account for a user, with nothing in it.')
    .usage('USER [options] | --batch [options] < FILE')
    .argument('[user]', 'its id: 1 to 64 of A-Z a-z 0-9 . _ @ : -')
    .writes()
    .batches({ user_id: 'alice' })
    .helped(['create-account alice', 'create-account --batch < accounts.ndjson'], [4, 6, 7, 130])
    .action(run);
}

async function run(user: string | undefined, options: BatchOptions, command: TillboxCommand) {
  if (options.batch) {
    const { runBatch } = await import('./batch/run-batch.ts');
    const { addressOfAccount } = await import('./batch/batch-line.ts');
    return runBatch(command, options, { addressOf: addressOfAccount });
  }
  const { openClient } = await import('./gateway/client.ts');
  const { requireArgument, userArgument } = await import('./arguments.ts');
  const { writeOnce } = await import('./gateway/write-once.ts');
  const client = await openClient(command);
  const userId = await requireArgument(userArgument, user, { terminal: client.terminal, command });
  const account = await writeOnce<AccountView>(client, {
    path: '/accounts',
    body: { user_id: userId },
    idempotencyKey: options.idempotencyKey,
    noun: 'account',
  });
  client.remember({ users: [userId] });
  client.terminal.result(account, () => `Created account ${userId}; its balance is ${account.balance}.`);
  client.terminal.hint(`Put money into it: tillbox topup ${userId} 100`);
}
