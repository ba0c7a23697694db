import type { LoadOptions } from '../tools/load/load.ts';
import type { LoadReport } from '../tools/load/load-report.ts';
import type { TillboxCommand } from './command.ts';

const ordersDefault = 10_000;
/** Of a closed loop: as many as a busy gateway sees. An open loop needs more, to keep its pace in a stall. */
const clientsDefault = { closed: 64, open: 256 };
const usersDefault = 1_000;

interface OptionsGiven {
  orders?: string;
  duration?: string;
  clients?: string;
  rate?: string;
  users?: string;
  hot: string;
  amount: string;
  overdraft: string;
  seed?: string;
  threshold: string[];
  drain: string;
  audit: boolean;
  html?: string;
}

/** `tillbox load`: how fast is it, and does it stay right. */
export function addLoad(program: TillboxCommand): void {
  program
    .command('load')
    .description('Send orders of its own users as fast as they are taken, or at a rate, and measure.')
    .option('--orders <n>', `how many orders (default: ${ordersDefault}, unless --duration says)`)
    .option('--duration <time>', 'for how long, such as 30s or 10m')
    .option(
      '--clients <n>',
      `requests under way at once (default: ${clientsDefault.closed}, with --rate at most ${clientsDefault.open})`,
    )
    .option('--rate <n>', 'orders a second at even distances, whatever the answers do')
    .option('--users <n>', `accounts to create and fund (default: ${usersDefault}, or one an order)`)
    .option('--hot <share>', 'share of the orders that are on one account, such as 20%', '0')
    .option('--amount <amount>', 'of an order, or a range such as 1..50', '1.00')
    .option('--overdraft <share>', 'share of the orders whose users have no money, such as 5%', '0')
    .option('--seed <number>', 'repeats the sequence of orders (default: another each time)')
    .option(
      '--threshold <expression>',
      "what must hold, such as 'settle.p99<50ms'; may be given several times",
      (expression: string, before: string[]) => [...before, expression],
      [],
    )
    .option('--drain <seconds>', 'wait so long until the accepted orders are settled', '30')
    .option('--no-audit', 'do not audit the databases at the end')
    .option('--html <file>', 'write a report with charts, one file that needs nothing else')
    .helped(
      [
        'load',
        'load --duration 30s --clients 128 --hot 20%',
        "load --duration 1m --rate 200 --threshold 'settle.p99<50ms' --threshold errors==0",
        'load --orders 50000 --html load.html',
      ],
      [4, 7, 8, 124, 130],
    )
    .explained(explanation)
    .action(run);
}

const explanation = `\
Accept latency: from sending an order to its acceptance; with --rate from when the order was due, so
that a stall is not hidden. Settle latency: from an order's creation to its settlement, by the clock of
the database; read there when the system runs here or the *_DATABASE_URL variables say where it is, and
at the gateway otherwise. What is refused with 503 or gets no answer is tried again under the same
idempotency key for 15 s; an order not accepted then is an error.
Thresholds: accept.p50 .p95 .p99 .max, settle.p50 .p95 .p99 .max (ms unless us or s is said),
accepted_per_s, settled_per_s, errors and unsettled (orders, or a share with %), drain (s).
Exit code 8: a threshold was missed, the audit failed, or orders are lost or doubled; 124: orders were
left unsettled after --drain.`;

async function run(given: OptionsGiven, command: TillboxCommand): Promise<void> {
  const { readConfig } = await import('../platform/config.ts');
  const { createLogger } = await import('../platform/logging.ts');
  const { databasesAtHand } = await import('../system/databases-at-hand.ts');
  const { runLoad } = await import('../tools/load/load.ts');
  const { gatewayAccess } = await import('../system/gateway-access.ts');
  const { LoadLine } = await import('./terminal/load-line.ts');
  const { formatLoad } = await import('./terminal/load-text.ts');
  const { openTerminal } = await import('./terminal/terminal.ts');
  const options = await readOptions(given);
  // Refused now, not after an hour of load.
  if (given.html !== undefined) await writeFileOrRefuse(given.html, '', 'a');
  const config = readConfig(process.env);
  const terminal = await openTerminal(command);
  const databases = databasesAtHand(config);
  // What is printed for a program has no line that moves beside it.
  const line = new LoadLine(terminal, terminal.json ? { write: () => {} } : process.stderr);
  const { report, course } = await runLoad(
    {
      ...options,
      gateway: gatewayAccess(config),
      ...(databases === undefined ? {} : { databases }),
      log: createLogger('load', config.logLevel),
    },
    line,
    interruptSignal(),
  ).finally(() => line.end());

  if (given.html !== undefined) {
    const { htmlReport } = await import('../tools/load/html-report.ts');
    await writeFileOrRefuse(given.html, htmlReport(report, course, new Date()));
  }
  terminal.result(report, () => formatLoad(report, course, terminal));
  await judge(report, options);
}

async function writeFileOrRefuse(path: string, text: string, flag: 'w' | 'a' = 'w'): Promise<void> {
  const { writeFile } = await import('node:fs/promises');
  const { CodedError } = await import('../platform/errors.ts');
  try {
    await writeFile(path, text, { flag });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new CodedError('usage', `--html must be a file that can be written; ${path} cannot be (${code}).`, {
      cause,
    });
  }
}

async function readOptions(given: OptionsGiven): Promise<Omit<LoadOptions, 'gateway'>> {
  const { readArgument } = await import('./arguments.ts');
  const of = await import('./load-arguments.ts');
  const optional = <Value>(argument: Parameters<typeof readArgument<Value>>[0], text: string | undefined) =>
    text === undefined ? undefined : readArgument(argument, text);
  const durationMs = optional(of.durationArgument, given.duration);
  const orders =
    optional(of.ordersArgument, given.orders) ?? (durationMs === undefined ? ordersDefault : undefined);
  const ratePerSecond = optional(of.rateArgument, given.rate);
  const { min, max } = readArgument(of.amountsArgument, given.amount);
  const loop = ratePerSecond === undefined ? 'closed' : 'open';
  return {
    ...(orders === undefined ? {} : { orders }),
    ...(durationMs === undefined ? {} : { durationMs }),
    ...(ratePerSecond === undefined ? {} : { ratePerSecond }),
    clients: optional(of.clientsArgument, given.clients) ?? clientsDefault[loop],
    users: optional(of.usersArgument, given.users) ?? Math.min(usersDefault, orders ?? usersDefault),
    hotShare: readArgument(of.hotArgument, given.hot),
    overdraftShare: readArgument(of.overdraftArgument, given.overdraft),
    amountMin: min,
    amountMax: max,
    seed: optional(of.seedArgument, given.seed) ?? Math.floor(Math.random() * 2 ** 32),
    thresholds: given.threshold.map((expression) => readArgument(of.thresholdArgument, expression)),
    drainMs: readArgument(of.drainArgument, given.drain) * 1_000,
    audit: given.audit,
  };
}

/** The first Ctrl-C ends the run early, with its figures; a second one ends the process. */
function interruptSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, () => controller.abort());
  return controller.signal;
}

/** What a run comes to as an exit code. */
async function judge(report: LoadReport, { drainMs }: Pick<LoadOptions, 'drainMs'>): Promise<void> {
  const { ExitWith } = await import('./report-error.ts');
  if (report.interrupted) throw new ExitWith(130);
  const missed = report.thresholds.some(({ ok }) => !ok);
  if (missed || report.audit?.ok === false || report.lost > 0 || report.doubled > 0) throw new ExitWith(8);
  const unread = report.settle_source === null || report.audit_error !== null;
  if (report.gateway_away || unread) throw new ExitWith(7);
  if (report.unsettled > 0 && drainMs > 0) throw new ExitWith(124);
}
