import { Option } from 'commander';
import type { TillboxCommand } from './command.ts';

interface TokenOptions {
  scope: 'user' | 'operator';
  expires: string;
}

/** `tillbox token USER`: a bearer token for development. */
export function addToken(program: TillboxCommand): void {
  program
    .command('token')
    .description('Issue a bearer token for a user, signed with the local secret: for development.')
    .usage('USER [options]')
    .argument('[user]', 'its id: 1 to 64 of A-Z a-z 0-9 . _ @ : -')
    .addOption(
      new Option('--scope <scope>', "user: own account and orders; operator: everyone's")
        .choices(['user', 'operator'])
        .default('user'),
    )
    .option('--expires <time>', 'how long it counts, such as 90s, 15m, 8h or 30d', '1h')
    .helped(['token alice', 'token ops --scope operator --expires 8h'], [130])
    .action(run);
}

async function run(user: string | undefined, options: TokenOptions, command: TillboxCommand) {
  const { readConfig } = await import('../platform/config.ts');
  const { signToken } = await import('../platform/identity/tokens.ts');
  const { signingSecret } = await import('../system/local-identity.ts');
  const { readArgument, requireArgument, userArgument } = await import('./arguments.ts');
  const { durationArgument } = await import('./duration-argument.ts');
  const { openTerminal } = await import('./terminal/terminal.ts');
  const terminal = await openTerminal(command);
  const config = readConfig(process.env);
  const subject = await requireArgument(userArgument, user, { terminal, command });
  const seconds = readArgument(durationArgument, options.expires);
  const { scope } = options;
  const token = await signToken(signingSecret(config), { subject, scope, seconds });
  const expiresAt = new Date(Date.now() + seconds * 1_000).toISOString();
  terminal.result({ token, user_id: subject, scope, expires_at: expiresAt }, () => token);
  if (!terminal.json && process.stdout.isTTY) {
    const { formatLocalTime } = await import('./terminal/times.ts');
    terminal.note(
      `For ${subject} (${scope}), until ${formatLocalTime(expiresAt)}. Whoever has it may act with it.`,
    );
  }
}
