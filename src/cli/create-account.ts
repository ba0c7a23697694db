import type { AccountView } from '../payments/account.ts';
import type { TillboxCommand } from './command.ts';

/** `tillbox create-account USER`. */
export function addCreateAccount(program: TillboxCommand): void {
  program
    .command('create-account')
    .description('Create an account for a user, with nothing in it.')
    .usage('USER [options]')
    .argument('[user]', 'its id: 1 to 64 of A-Z a-z 0-9 . _ @ : -')
    .writes()
    .helped(['create-account alice', 'create-account alice --json'], [6, 7])
    .action(run);
}

async function run(user: string | undefined, options: { idempotencyKey?: string }, command: TillboxCommand) {
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
}
