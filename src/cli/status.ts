import type { TillboxCommand } from './command.ts';
import type { StatusDocument } from './status-document.ts';
import type { Terminal } from './terminal/terminal.ts';

/** `tillbox status`: what runs, where, and whether it is ready. */
export function addStatus(program: TillboxCommand): void {
  program
    .command('status')
    .description('Show what runs, where, and whether it is ready.')
    .option('--show-secrets', 'show the passwords in database URLs')
    .helped(['status', 'status --json --show-secrets'], [7])
    .action(async (options: { showSecrets?: boolean }, command: TillboxCommand) => {
      const { readConfig } = await import('../platform/config.ts');
      const { readRuntime } = await import('../system/runtime-file.ts');
      const { statusDocument } = await import('./status-document.ts');
      const { openTerminal } = await import('./terminal/terminal.ts');
      const terminal = await openTerminal(command);
      const config = readConfig(process.env);
      const runtime = readRuntime(config.home);
      const document = await statusDocument({ runtime, config, showSecrets: options.showSecrets === true });
      terminal.result(document, () => describe(document, terminal));
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

function describe(document: StatusDocument, { paint }: Terminal): string {
  const state = (ready: boolean) => (ready ? paint.good('ready') : paint.bad('not ready'));
  const lines = [`gateway   ${state(document.gateway.ready)}  ${document.gateway.url}`];
  for (const name of ['orders', 'payments'] as const) {
    const { url, instances } = document[name];
    for (const { pid, ready } of instances) {
      lines.push(`${name.padEnd(8)}  ${state(ready)}  ${pid === null ? '' : `process ${pid}`}`);
    }
    if (instances.length === 0) lines.push(`${name.padEnd(8)}  ${state(false)}  ${url}`);
  }
  const urls = new Map<string, string[]>();
  for (const [name, { url }] of Object.entries(document.databases)) {
    if (url !== null) urls.set(url, [...(urls.get(url) ?? []), name]);
  }
  for (const [url, names] of urls) lines.push(`database  ${url}  ${paint.faint(names.join(', '))}`);
  if (document.embedded) lines.push(paint.faint('          embedded Postgres'));
  return lines.join('\n');
}
