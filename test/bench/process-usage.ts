import { readdirSync, readFileSync } from 'node:fs';

/** What processes cost, as Linux counts it under /proc. Elsewhere it is unknown, and said to be so. */

/** Whether this machine tells. */
export const isUsageKnown = process.platform === 'linux';

/** Microseconds in a clock tick of /proc: USER_HZ is 100 on every Linux Node runs on. */
const tickMicros = 10_000;
const kibibytesPerMegabyte = 1_000_000 / 1_024;

/** A process to watch; with its children, for Postgres, which has one a connection. */
export interface Watched {
  name: string;
  pid: number;
  withChildren?: boolean;
}

/** CPU time of each process so far, in µs by name; empty where it is unknown. Several of a name add up. */
export function cpuMicros(watched: readonly Watched[]): Map<string, number> {
  const micros = new Map<string, number>();
  if (!isUsageKnown) return micros;
  for (const { name, pid, withChildren = false } of watched) {
    // Children that have ended are counted with their parent, so the sum never goes down.
    const ticks = withChildren
      ? ticksOf(pid, { reaped: true }) + childrenOf(pid).reduce((sum, child) => sum + ticksOf(child), 0)
      : ticksOf(pid);
    micros.set(name, (micros.get(name) ?? 0) + ticks * tickMicros);
  }
  return micros;
}

/** CPU time spent since an earlier reading, in µs by name. */
export function cpuSince(
  before: ReadonlyMap<string, number>,
  watched: readonly Watched[],
): Map<string, number> {
  return new Map([...cpuMicros(watched)].map(([name, now]) => [name, now - (before.get(name) ?? 0)]));
}

/** Resident memory of a process in megabytes (10^6 bytes); NaN where it is unknown. */
export function residentMegabytes(pid: number): number {
  const kibibytes = /^VmRSS:\s+(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1];
  return kibibytes === undefined ? Number.NaN : Number(kibibytes) / kibibytesPerMegabyte;
}

function ticksOf(pid: number, { reaped = false } = {}): number {
  const { user, system, reapedUser, reapedSystem } = parseStat(read(`/proc/${pid}/stat`));
  return user + system + (reaped ? reapedUser + reapedSystem : 0);
}

function childrenOf(parent: number): number[] {
  const pids = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
  return pids.filter((pid) => parseStat(read(`/proc/${pid}/stat`)).parent === parent);
}

/** The fields of /proc/PID/stat that count. The name before them may hold anything, parentheses too. */
export function parseStat(stat: string) {
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const [, parent = 0] = fields;
  const [user = 0, system = 0, reapedUser = 0, reapedSystem = 0] = fields.slice(11, 15);
  return { parent, user, system, reapedUser, reapedSystem };
}

/** Empty when the process has ended. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
