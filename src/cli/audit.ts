import type { AuditReport } from '../tools/audit/audit.ts';
import type { TillboxCommand } from './command.ts';
import type { Terminal } from './terminal/terminal.ts';

/** Pause between two rounds of `--watch`. */
const watchMs = 2_000;

interface Options {
  wait?: string;
  watch?: boolean;
}

/** `tillbox audit`: every invariant of both services and the broker, checked row by row. */
export function addAudit(program: TillboxCommand): void {
  program
    .command('audit')
    .description('Check that nothing is lost and nothing happened twice, in every row of all databases.')
    .option(
      '--wait <seconds>',
      'wait so many seconds for quiet first; then what is lost or stands still is reported',
    )
    .option('--watch', 'audit every 2 s until a violation; with --json a line a round')
    .helped(['audit', 'audit --wait 60', 'audit --watch --json'], [7, 8, 124, 130])
    .explained(explanation)
    .action(run);
}

const explanation = `\
The audit only reads, and may run at any time. What is on its way is counted, and is no violation; a
message that contradicts an order or a decision is one until an operator has seen to it.
What must hold when quiet is judged only if nothing is on its way: outboxes, queues and inbox are
empty, no other dead letter waits for an operator, FINISHED orders sum up to the debits. With --wait it
waits for that; if it does not come, the audit still reports (exit code 8) orders that are NEW for
more than 30 s although nothing is on its way for them, steps that stood still for 30 s of the wait,
jobs active beyond their lease, and dead letters; if there are none of these, exit code 124.`;

async function run(_options: Options, command: TillboxCommand) {
  const { readConfig } = await import('../platform/config.ts');
  const { createLogger } = await import('../platform/logging.ts');
  const { withDatabases } = await import('../system/with-databases.ts');
  const { audit } = await import('../tools/audit/audit.ts');
  const { readArgument } = await import('./arguments.ts');
  const { waitArgument } = await import('./create-order.ts');
  const { ExitWith } = await import('./report-error.ts');
  const { openTerminal } = await import('./terminal/terminal.ts');
  const options = command.opts<Options>();
  const seconds = options.wait === undefined ? undefined : readArgument(waitArgument, options.wait);
  if (seconds !== undefined && options.watch)
    throw command.usageError('--wait and --watch exclude each other.');
  await boundMemory();
  const terminal = await openTerminal(command);
  const config = readConfig(process.env);
  const log = createLogger('audit', config.logLevel);
  const interrupted = new AbortController();
  const signal = AbortSignal.any([interrupted.signal, terminal.closed]);
  process.once('SIGINT', () => interrupted.abort());
  try {
    await withDatabases(config, async (urls) => {
      const once = () => audit(urls, { log, signal, waitMs: (seconds ?? 0) * 1_000 });
      if (options.watch) await watch(once, terminal, signal);
      else await judge(await once(), seconds, terminal);
    });
  } catch (error) {
    if (interrupted.signal.aborted) throw new ExitWith(130);
    if (!terminal.closed.aborted) throw error;
  }
}

/**
 * A page is garbage as soon as it has been compared, however many there are: while the young generation stays
 * as it is, a million rows that are all wrong take 120 MB, otherwise 240.
 */
async function boundMemory(): Promise<void> {
  const { setFlagsFromString } = await import('node:v8');
  setFlagsFromString('--semi-space-growth-factor=1');
}

/** Audits again and again; ends with exit code 8 at the first violation. */
async function watch(once: () => Promise<AuditReport>, terminal: Terminal, signal: AbortSignal) {
  const { setTimeout: pause } = await import('node:timers/promises');
  const { describeRound } = await import('./terminal/audit-text.ts');
  const { ExitWith } = await import('./report-error.ts');
  for (;;) {
    const report = await once();
    terminal.streamed(report, () => describeRound(report, terminal));
    if (!report.ok) throw new ExitWith(8);
    await pause(watchMs, undefined, { signal });
  }
}

/** Prints the report, and what it comes to as an exit code. */
async function judge(report: AuditReport, seconds: number | undefined, terminal: Terminal) {
  const { describeReport } = await import('./terminal/audit-text.ts');
  const { isQuiet } = await import('../tools/audit/in-flight.ts');
  const { ExitWith } = await import('./report-error.ts');
  const { CodedError } = await import('../platform/errors.ts');
  terminal.result(report, () => describeReport(report, terminal));
  if (!report.ok) throw new ExitWith(8);
  if (isQuiet(report.in_flight)) return;
  if (seconds === undefined) {
    terminal.note('Not quiet, so what must hold when quiet was not judged. To wait for it: --wait 60');
    return;
  }
  const detail = `No violation, but not quiet within ${seconds} s: what must hold when quiet was not all judged. Is everything up? tillbox status`;
  throw new CodedError('wait-timeout', detail);
}
