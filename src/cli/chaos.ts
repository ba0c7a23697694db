import type { ChaosSignals } from '../tools/chaos/chaos.ts';
import type { Strike } from '../tools/chaos/fault-schedule.ts';
import type { ChaosReport } from '../tools/chaos/verdict.ts';
import type { Argument } from './arguments.ts';
import type { TillboxCommand } from './command.ts';
import type { Terminal } from './terminal/terminal.ts';

const durationMsMax = 24 * 3_600_000;
const unitMs = { s: 1_000, m: 60_000, h: 3_600_000 } as const;

const durationArgument: Argument<number> = {
  name: '--duration',
  field: 'duration',
  question: 'Duration',
  rule: 'must be a time from 1s to 24h, such as 90s or 10m',
  read: (text) => {
    const [, number, unit = 's'] = /^(\d{1,6})([smh])?$/.exec(text) ?? [];
    const ms = Number(number) * unitMs[unit as keyof typeof unitMs];
    return ms >= 1_000 && ms <= durationMsMax ? ms : undefined;
  },
};

const rateArgument: Argument<number> = {
  name: '--orders-rate',
  field: 'orders-rate',
  question: 'Orders a second',
  rule: 'must be a whole number of orders a second from 1 to 2000',
  read: (text) => (/^[1-9]\d{0,3}$/.test(text) && Number(text) <= 2_000 ? Number(text) : undefined),
};

const seedArgument: Argument<number> = {
  name: '--seed',
  field: 'seed',
  question: 'Seed',
  rule: 'must be a whole number from 0 to 4294967295',
  read: (text) => (/^\d{1,10}$/.test(text) && Number(text) < 2 ** 32 ? Number(text) : undefined),
};

const exitCodes = { pass: 0, fail: 8, interrupted: 130 } as const;

interface ChaosOptionsGiven {
  duration: string;
  seed?: string;
  ordersRate: string;
  faults?: string;
  instances?: string[];
  separateDatabases?: boolean;
}

/** `tillbox chaos`: the proof on demand. */
export function addChaos(program: TillboxCommand): void {
  program
    .command('chaos')
    .description(
      'Start a system of its own, harm it under load, and prove that nothing is lost and nothing done twice.',
    )
    .option('--duration <time>', 'how long faults strike, such as 90s or 10m', '60s')
    .option('--seed <number>', 'repeats a schedule of faults (default: another each time)')
    .option('--orders-rate <n>', 'orders a second; top-ups and reads come on top', '100')
    .option('--faults <list>', 'which faults: kill,pause,postgres,link,duplicate,poison (default: all)')
    .option('--instances <service=N...>', 'how many processes of a service, such as payments=2')
    .option('--separate-databases', 'with a Postgres server each for orders, payments and queues')
    .suggests('--faults', ['kill', 'pause', 'postgres', 'link', 'duplicate', 'poison'])
    .suggests('--instances', ['orders=', 'payments='])
    .helped(['chaos', 'chaos --duration 10m --separate-databases --instances payments=3 --seed 7'], [8, 130])
    .action(run);
}

async function run(given: ChaosOptionsGiven, command: TillboxCommand): Promise<void> {
  const { readArgument } = await import('./arguments.ts');
  const { readInstances } = await import('./instances.ts');
  const { faultNames } = await import('../tools/chaos/faults.ts');
  const { runChaos } = await import('../tools/chaos/chaos.ts');
  const { formatChaos } = await import('./terminal/chaos-text.ts');
  const { openTerminal } = await import('./terminal/terminal.ts');
  const faultsArgument: Argument<(typeof faultNames)[number][]> = {
    name: '--faults',
    field: 'faults',
    question: 'Faults',
    rule: `must be some of ${faultNames.join(',')}`,
    read: (text) => {
      const chosen = faultNames.filter((name) => text.split(',').includes(name));
      return chosen.length > 0 && chosen.length === new Set(text.split(',')).size ? chosen : undefined;
    },
  };
  const options = {
    durationMs: readArgument(durationArgument, given.duration),
    seed:
      given.seed === undefined ? Math.floor(Math.random() * 2 ** 32) : readArgument(seedArgument, given.seed),
    ordersPerSecond: readArgument(rateArgument, given.ordersRate),
    faults: given.faults === undefined ? faultNames : readArgument(faultsArgument, given.faults),
    instances: readInstances(given.instances),
    separateDatabases: given.separateDatabases === true,
  };
  const terminal = await openTerminal(command);
  const interrupts = interruptSignals(terminal);
  terminal.note(`Seed ${options.seed}`);
  const report = await runChaos(options, liveView(terminal), interrupts);
  if (report === undefined) terminal.note('interrupted: no verdict');
  else terminal.result(report, () => formatChaos(report, terminal));
  process.exitCode = report === undefined ? 130 : exitCodes[report.verdict];
}

/**
 * Ctrl-C ends the faults early, and says whether something broken was seen; a second one ends everything at once. What was
 * started is undone either way.
 */
function interruptSignals(terminal: Terminal): ChaosSignals {
  const [early, atOnce] = [new AbortController(), new AbortController()];
  const interrupt = () => {
    if (early.signal.aborted) atOnce.abort();
    else terminal.note('Ending early, then what was seen; once more ends it at once');
    early.abort();
  };
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, interrupt);
  return { early: early.signal, atOnce: atOnce.signal };
}

/** What happens, as it happens, on stderr: a line a strike, and on a terminal a last line that moves. */
function liveView(terminal: Terminal) {
  const startedAt = performance.now();
  const moving = process.stderr.isTTY === true;
  const clear = moving ? '\r\x1b[K' : '';
  const time = () => `${((performance.now() - startedAt) / 1_000).toFixed(1).padStart(6)} s`;
  const note = (text: string) => terminal.note(`${clear}${time()}  ${text}`);
  return {
    phase: (what: string) => note(what),
    strike: ({ what, struck }: Strike) => note(struck ? what : `(${what})`),
    progress: ({ ok, failed, unknown }: ChaosReport['requests']) => {
      const text = `${time()}  ${ok} ok, ${failed} refused, ${unknown} unknown`;
      // What is wrapped cannot be cleared.
      if (moving) process.stderr.write(clear + text.slice(0, (process.stderr.columns || 80) - 1));
    },
    line: () => {},
  };
}
