import { Option } from 'commander';
import type { Config } from '../platform/config.ts';
import type { TillboxCommand } from './command.ts';
import type { Terminal } from './terminal/terminal.ts';

interface StatusOptions {
  output?: 'text' | 'json' | 'env';
  showSecrets?: boolean;
}

/** `tillbox status`: what runs, where, and whether it is ready. */
export function addStatus(program: TillboxCommand): void {
  program
    .command('status')
    .description('Show what runs, where, and whether it is ready.')
    .addOption(
      new Option(
        '-o, --output <format>',
        'text, json, or env: exports for eval, with passwords only by --show-secrets',
      ).choices(['text', 'json', 'env']),
    )
    .option('--show-secrets', 'show the passwords in database URLs')
    .helped(['status', 'status --json --show-secrets', 'status -o env --show-secrets'], [7])
    .action(async (options: StatusOptions, command: TillboxCommand) => {
      const { readConfig } = await import('../platform/config.ts');
      const { readRuntime } = await import('../system/runtime-file.ts');
      const { statusDocument } = await import('./status-document.ts');
      const { openTerminal } = await import('./terminal/terminal.ts');
      if (options.output === 'json') command.setOptionValue('json', true);
      const terminal = await openTerminal(command);
      const config = readConfig(process.env);
      const runtime = readRuntime(config.home);
      const document = await statusDocument({ runtime, config, showSecrets: options.showSecrets === true });
      if (options.output === 'env') {
        const databases = runtime?.databases ?? config.databaseUrls;
        await printEnvironment(document.gateway.url, databases, options.showSecrets === true, terminal);
      } else {
        const { formatStatus } = await import('./terminal/status-text.ts');
        terminal.result(document, () => formatStatus(document, terminal));
      }
      if (!document.gateway.ready) {
        const runs = [...document.orders.instances, ...document.payments.instances].some(
          ({ ready }) => ready,
        );
        terminal.note(
          runs
            ? 'Something is not ready; the log says why (tillbox up, or logs/up.log under TILLBOX_HOME).'
            : 'The system is not ready. Start it with: tillbox up',
        );
        process.exitCode = 7;
      }
    });
}

async function printEnvironment(
  url: string,
  databases: Config['databaseUrls'],
  showSecrets: boolean,
  terminal: Terminal,
): Promise<void> {
  const { environmentOf } = await import('./status-env.ts');
  const { exports, leftOut } = environmentOf(url, databases, showSecrets);
  process.stdout.write(`${exports}\n`);
  if (leftOut.length > 0) {
    terminal.note(`Left out, as they hold a password: ${leftOut.join(', ')}. To have them: --show-secrets`);
  }
}
