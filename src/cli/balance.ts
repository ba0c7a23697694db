import type { AccountView } from '../payments/account.ts';
import type { TillboxCommand } from './command.ts';
import { visible } from './terminal/terminal-text.ts';

/** `tillbox balance USER`. */
export function addBalance(program: TillboxCommand): void {
  program
    .command('balance')
    .description('Print what is in an account.')
    .usage('USER [options]')
    .argument('[user]', 'whose account')
    .helped(['balance alice', 'balance alice --json'], [4, 5, 7, 130])
    .action(run);
}

async function run(user: string | undefined, _options: object, command: TillboxCommand) {
  const { openClient } = await import('./gateway/client.ts');
  const { requireArgument, userArgument } = await import('./arguments.ts');
  const { gateway, terminal, remember } = await openClient(command);
  const userId = await requireArgument(userArgument, user, { terminal, command });
  const account = await gateway.get<AccountView>(`/accounts/${userId}`);
  remember({ users: [userId] });
  terminal.result(account, () => visible(account.balance));
}
