import type { QueuesDocument } from '../tools/queues.ts';
import type { TillboxCommand } from './command.ts';
import type { Terminal } from './terminal/terminal.ts';

const watchMs = 1_000;

/** `tillbox queues`: where messages wait, and how it stands there. */
export function addQueues(program: TillboxCommand): void {
  program
    .command('queues')
    .description('Show where messages wait: depth, age, in flight, retries, rates, dead letters.')
    .usage('[--watch] [options]')
    .option('--watch', 'measure every second until interrupted; with --json a line each')
    .helped(['queues', 'queues --watch', 'queues --json'], [4, 7, 130])
    .action(run);
}

async function run(options: { watch?: boolean }, command: TillboxCommand) {
  const { readConfig } = await import('../platform/config.ts');
  const { createLogger } = await import('../platform/logging.ts');
  const { withLogins } = await import('../tools/logins.ts');
  const { Queues } = await import('../tools/queues.ts');
  const { openTerminal } = await import('./terminal/terminal.ts');
  const { formatQueues } = await import('./terminal/queues-text.ts');
  const terminal = await openTerminal(command);
  const config = readConfig(process.env);
  const log = createLogger('queues', config.logLevel);
  const databases = ['orders', 'payments', 'broker'] as const;
  await withLogins({ config, duty: 'auditor', databases, log }, async (urls) => {
    const queues = new Queues({ urls, log });
    try {
      if (options.watch === true) await watch(() => queues.measure(), terminal);
      else {
        const measured = await queues.measure();
        terminal.result(measured, () => formatQueues(measured, terminal));
      }
    } finally {
      await queues.close();
    }
  });
}

/** Measures until Ctrl-C, or until nobody reads any more. A database that goes away meanwhile is waited for. */
async function watch(measure: () => Promise<QueuesDocument>, terminal: Terminal): Promise<void> {
  const { pause } = await import('../platform/lifecycle.ts');
  const { isUnavailable } = await import('../platform/postgres-errors.ts');
  const { formatQueues } = await import('./terminal/queues-text.ts');
  const { ExitWith } = await import('./report-error.ts');
  const interrupted = new AbortController();
  process.once('SIGINT', () => interrupted.abort());
  const ended = AbortSignal.any([interrupted.signal, terminal.closed]);
  const isScreen = terminal.columns !== undefined && !terminal.json;
  for (let measurements = 0; !ended.aborted; measurements += 1) {
    try {
      const measured = await measure();
      if (isScreen) terminal.clear();
      terminal.streamed(measured, () => `${formatQueues(measured, terminal)}${isScreen ? '' : '\n'}`);
    } catch (error) {
      if (measurements === 0 || !isUnavailable(error)) throw error;
      terminal.note(`A database is away: ${(error as Error).message}`);
    }
    await pause(watchMs, ended);
  }
  if (interrupted.signal.aborted) throw new ExitWith(130);
}
