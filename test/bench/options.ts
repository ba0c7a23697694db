import { parseArgs } from 'node:util';

/** What the bench is asked to do. */
export interface BenchOptions {
  runs: number;
  seconds: number;
  clients: number;
  users: number;
  parts: ReadonlySet<Part>;
  /** Of the part `growth`. */
  settled: number;
  accounts: number;
  /** Orders of the part `backlog`. */
  backlog: number;
  soakSeconds: number;
  /** Rounds of the part `telemetry`. */
  telemetryRounds: number;
  /** Orders of each program of the part `compare`. */
  compareOrders: number;
  output: 'table' | 'json' | 'markdown';
}

/** Parts of every run, in this order. */
const partsAlways = ['pgbench', 'throughput', 'hot', 'idle', 'half', 'statements', 'rest', 'start'] as const;
/** Parts that take long, done once, when asked for. */
const partsOnDemand = ['compare', 'growth', 'backlog', 'soak', 'telemetry'] as const;
const allParts: readonly string[] = [...partsAlways, ...partsOnDemand];
export type Part = (typeof partsAlways)[number] | (typeof partsOnDemand)[number];

export const usage = `npm run bench -- [options]

Measures a system of its own, on an embedded Postgres in a temporary folder, durability on.
Fails when an order is lost or doubled, never on a figure.

  --runs N            repeats, for medians (default 3)
  --seconds N         of each load (default 8)
  --clients N         requests in flight of the closed loops (default 64)
  --users N           accounts (default 1000)
  --only PARTS        some of: ${partsAlways.join(', ')}
  --compare           the same flow as plain programs on pg-boss and graphile-worker, side by side
  --compare-orders N  sent to each program (default 3000)
  --settled N         growth: the figures again with so many settled orders in the tables (such as 5000000)
  --accounts N        growth: and so many accounts (default 100000)
  --backlog N         a backlog of so many orders, drained (such as 500000)
  --soak DURATION     80 % of the maximum for so long (such as 30m), what grows
  --telemetry ROUNDS  what metrics and traces cost, side by side in so many rounds (such as 10)
  --json              one JSON document instead of the table
  --markdown          a Markdown table instead
`;

/** A mistake in the arguments. */
export class UsageError extends Error {}

/** Reads the command line. @throws UsageError */
export function readOptions(args: readonly string[]): BenchOptions | 'help' {
  const { values } = parse(args);
  if (values.help) return 'help';
  const count = (name: string, value: string | undefined, otherwise: number): number => {
    if (value === undefined) return otherwise;
    const number = Number(value.replaceAll(/[_,]/g, ''));
    if (!Number.isSafeInteger(number) || number < 1) {
      throw new UsageError(`--${name} must be a whole number from 1, not "${value}"`);
    }
    return number;
  };
  return {
    runs: count('runs', values.runs, 3),
    seconds: count('seconds', values.seconds, 8),
    clients: count('clients', values.clients, 64),
    users: count('users', values.users, 1_000),
    parts: partsOf(values),
    settled: count('settled', values.settled, 5_000_000),
    accounts: count('accounts', values.accounts, 100_000),
    backlog: count('backlog', values.backlog, 500_000),
    soakSeconds: values.soak === undefined ? 0 : parseDuration(values.soak),
    telemetryRounds: count('telemetry', values.telemetry, 10),
    compareOrders: count('compare-orders', values['compare-orders'], 3_000),
    output: values.json ? 'json' : values.markdown ? 'markdown' : 'table',
  };
}

function parse(args: readonly string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  try {
    return parseArgs({
      args: [...args],
      options: {
        ...{ runs: text, seconds: text, clients: text, users: text, only: text },
        ...{
          settled: text,
          accounts: text,
          backlog: text,
          soak: text,
          telemetry: text,
          'compare-orders': text,
        },
        ...{ compare: flag, json: flag, markdown: flag, help: flag },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** The parts always done unless `--only` names some; and those that a flag of theirs asks for. */
function partsOf(values: {
  only?: string | undefined;
  compare?: boolean | undefined;
  settled?: string | undefined;
  backlog?: string | undefined;
  soak?: string | undefined;
  telemetry?: string | undefined;
}): ReadonlySet<Part> {
  const named = values.only?.split(',').map((name) => name.trim());
  const unknown = named?.find((name) => !allParts.includes(name));
  if (unknown !== undefined) {
    throw new UsageError(`--only knows ${allParts.join(', ')}, not "${unknown}"`);
  }
  const parts = new Set<Part>((named as Part[] | undefined) ?? partsAlways);
  if (values.compare) parts.add('compare');
  if (values.settled !== undefined) parts.add('growth');
  if (values.backlog !== undefined) parts.add('backlog');
  if (values.soak !== undefined) parts.add('soak');
  if (values.telemetry !== undefined) parts.add('telemetry');
  if (parts.has('soak') && values.soak === undefined) throw new UsageError('soak needs --soak DURATION');
  return parts;
}

const secondsIn: Record<string, number> = { s: 1, m: 60, h: 3_600 };

/** Seconds of a duration such as 90s, 30m or 1h. @throws UsageError */
export function parseDuration(text: string): number {
  const [, number, unit = 's'] = /^(\d{1,6}(?:\.\d+)?)([smh])?$/.exec(text) ?? [];
  const seconds = Number(number) * (secondsIn[unit] ?? Number.NaN);
  if (!(seconds > 0)) throw new UsageError(`a duration is written 90s, 30m or 1h, not "${text}"`);
  return seconds;
}
