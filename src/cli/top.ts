import type { Top } from '../tools/top/top.ts';
import type { Health, TopDocument, TopEvent } from '../tools/top/top-document.ts';
import type { Argument } from './arguments.ts';
import type { TillboxCommand } from './command.ts';
import type { Terminal } from './terminal/terminal.ts';
import type { TopState } from './terminal/top-screen.ts';

/** What a screen remembers: more than any has room for. */
const eventsMax = 200;
const historyMax = 300;

const intervalArgument: Argument<number> = {
  name: '--interval',
  field: 'interval',
  question: 'Interval',
  rule: 'must be seconds from 0.2 to 3600',
  read: (text) => {
    const seconds = /^\d{1,4}(\.\d{1,3})?$/.test(text) ? Number(text) : 0;
    return seconds >= 0.2 && seconds <= 3_600 ? seconds * 1_000 : undefined;
  },
};

const countArgument: Argument<number> = {
  name: '--count',
  field: 'count',
  question: 'Count',
  rule: 'must be a whole number from 1 to 1000000',
  read: (text) => (/^[1-9]\d{0,5}$|^1000000$/.test(text) ? Number(text) : undefined),
};

interface TopOptions {
  interval: string;
  count?: string;
}

/** `tillbox top`: the whole system at a glance, live. */
export function addTop(program: TillboxCommand): void {
  program
    .command('top')
    .description('Watch the whole system live: rates, latencies by step, queues, instances, events.')
    .usage('[options]')
    .option('--interval <seconds>', 'seconds between two measurements, 0.2 to 3600', '1')
    .option('--count <n>', 'end after so many measurements: 1 to 1000000 lines')
    .helped(['top', 'top --json --count 5', 'top --interval 10 --json'], [7, 130])
    .explained(explanation)
    .action(run);
}

const explanation = `\
On a terminal it is a screen: q ends it. Elsewhere, and with --json, it prints a line of JSON for each
measurement. Latencies are those of orders settled in the last ten seconds, or of a sample of them; rates
are over five seconds. What is away is said, and the rest goes on.`;

async function run(options: TopOptions, command: TillboxCommand) {
  const { readConfig } = await import('../platform/config.ts');
  const { createLogger } = await import('../platform/logging.ts');
  const { withDatabases } = await import('../system/with-databases.ts');
  const { Top } = await import('../tools/top/top.ts');
  const { readArgument } = await import('./arguments.ts');
  const { openTerminal } = await import('./terminal/terminal.ts');
  const { ExitWith } = await import('./report-error.ts');
  const terminal = await openTerminal(command);
  const intervalMs = readArgument(intervalArgument, options.interval);
  const count =
    options.count === undefined ? Number.POSITIVE_INFINITY : readArgument(countArgument, options.count);
  const config = readConfig(process.env);
  const log = createLogger('top', config.logLevel);
  const interrupted = new AbortController();
  process.on('SIGINT', () => interrupted.abort());
  await withDatabases(config, async (urls) => {
    const top = new Top({ urls, health: () => askHealth(config), log });
    const watch = { top, intervalMs, count, terminal, interrupted };
    try {
      await (isScreen(terminal) ? showScreen(watch) : printLines(watch));
    } finally {
      await top.close();
    }
  });
  if (interrupted.signal.aborted) throw new ExitWith(130);
}

interface Watch {
  top: Top;
  intervalMs: number;
  count: number;
  terminal: Terminal;
  interrupted: AbortController;
}

function isScreen({ columns, json }: Terminal): boolean {
  return columns !== undefined && !json && process.env['TERM'] !== 'dumb';
}

/** Off a terminal a person reads JSON too: there is no screen to draw on. */
async function printLines({ top, intervalMs, count, terminal, interrupted }: Watch): Promise<void> {
  const { visibleJson } = await import('./terminal/terminal-text.ts');
  const ended = AbortSignal.any([interrupted.signal, terminal.closed]);
  await everyInterval({ intervalMs, count, ended }, async (number) => {
    const document = await (number === 1 ? measureFirst(top) : top.measure());
    terminal.streamed(document, () => visibleJson(document));
  });
}

async function showScreen({ top, intervalMs, count, terminal, interrupted }: Watch): Promise<void> {
  const { FullScreen } = await import('./terminal/full-screen.ts');
  const { drawTop } = await import('./terminal/top-screen.ts');
  const quit = new AbortController();
  let state: TopState | undefined;
  const draw = () => {
    if (state !== undefined) screen.draw(drawTop(state, screen, terminal.paint));
  };
  const keys = (key: string) => {
    if (key.includes('\u0003')) interrupted.abort();
    else if (/[qQ]/.test(key)) quit.abort();
  };
  const screen = new FullScreen({ keys, resized: draw });
  const ended = AbortSignal.any([quit.signal, interrupted.signal, terminal.closed]);
  // The first measurement is made before: what is wrong with it belongs on the screen that was there.
  let document: TopDocument | undefined = await measureFirst(top);
  screen.open();
  try {
    await everyInterval({ intervalMs, count, ended }, async () => {
      document ??= await top.measure();
      state = remember(state, document);
      document = undefined;
      draw();
    });
  } finally {
    screen.close();
  }
}

function remember(state: TopState | undefined, document: TopDocument): TopState {
  const events: TopEvent[] = [...(state?.events ?? []), ...document.events];
  const history = [...(state?.history ?? []), document.rates.settled_per_s];
  return { document, events: events.slice(-eventsMax), history: history.slice(-historyMax) };
}

/** Runs a round each interval, until it has been so many or is ended. A slow round delays the next. */
async function everyInterval(
  { intervalMs, count, ended }: { intervalMs: number; count: number; ended: AbortSignal },
  round: (number: number) => Promise<void>,
): Promise<void> {
  const { pause } = await import('../platform/lifecycle.ts');
  for (let rounds = 1; !ended.aborted; rounds += 1) {
    const next = performance.now() + intervalMs;
    await untilEnded(round(rounds), ended);
    if (rounds >= count) return;
    await pause(Math.max(0, next - performance.now()), ended);
  }
}

/** Waits for work, or for the end, which does not wait for the work. */
async function untilEnded(work: Promise<void>, ended: AbortSignal): Promise<void> {
  const { promise: end, resolve } = Promise.withResolvers<void>();
  const onAbort = () => resolve();
  ended.addEventListener('abort', onAbort);
  try {
    await Promise.race([work, ended.aborted ? undefined : end]);
  } finally {
    ended.removeEventListener('abort', onAbort);
  }
}

/**
 * The first measurement, tried twice: a busy machine may answer late.
 * @throws CodedError `unavailable` when no database is there, so that there is nothing to watch
 */
async function measureFirst(top: Top): Promise<TopDocument> {
  const { CodedError } = await import('../platform/errors.ts');
  for (let attempt = 1; ; attempt += 1) {
    const document = await top.measure();
    if (document.queues.length > 0) return document;
    if (attempt === 2) {
      const messages = [...new Set(document.away.map(({ message }) => message))].join('; ');
      throw new CodedError('unavailable', `No database could be read: ${messages}. See: tillbox status`);
    }
  }
}

async function askHealth(
  config: Parameters<typeof import('./status-document.ts').statusDocument>[0]['config'],
) {
  const { readRuntime } = await import('../system/runtime-file.ts');
  const { statusDocument } = await import('./status-document.ts');
  const runtime = readRuntime(config.home);
  const { gateway, orders, payments } = await statusDocument({ runtime, config, showSecrets: false });
  return { gateway, orders: orders.instances, payments: payments.instances } satisfies Health;
}
