import { queueSizes, startCountingStatements, stopCountingStatements } from '../database-usage.ts';
import type { Figure } from '../figures.ts';
import { type Driven, drive, type Load } from '../load.ts';
import { databaseNow, type OrderTimes, orderTimes, tillboxOrders, untilSettled } from '../order-times.ts';
import { cpuMicros, cpuSince } from '../process-usage.ts';
import { Sampler } from '../sampler.ts';
import { seededUser } from '../seed.ts';
import { LossError, type SystemUnderTest } from '../system-under-test.ts';

/** What is measured while orders come in. */

/** What was accepted must be settled within this, or it counts as lost. */
const settleMsMax = 120_000;
const warmUpSecondsMax = 2;
/** Long enough to count thousands of statements. */
const countedSecondsMax = 3;
/** As many as a person causes, one after another. */
const idlePerSecond = 20;

/** A load on a system whose users are seeded. */
export interface LoadSettings {
  clients: number;
  users: number;
  seconds: number;
}

/** What the clients were told, and what the database says of the same orders. */
export interface Outcome {
  driven: Driven;
  times: OrderTimes;
}

/**
 * Drives a load and waits until everything accepted is settled. Throws when an order is missing, or there is
 * one too many.
 */
export async function driveAndSettle(
  system: SystemUnderTest,
  load: Omit<Load, 'url' | 'user'>,
  { users }: { users: number },
): Promise<Outcome> {
  const since = await databaseNow(system.admin);
  const user = () => seededUser(Math.floor(Math.random() * users));
  const driven = await drive({ ...load, url: system.url, user });
  const waiting = await untilSettled(system.admin, tillboxOrders, settleMsMax);
  const times = await orderTimes(system.admin, tillboxOrders, since);
  if (waiting > 0) throw new LossError(`${waiting} orders are NEW after ${settleMsMax / 1_000} s`);
  const loss = judgeCount(driven, times.orders);
  if (loss !== undefined) throw new LossError(loss);
  return { driven, times };
}

/** Whether as many orders are there as clients were told; what is wrong, in words. Pure. */
export function judgeCount(
  { accepted, uncertain }: Pick<Driven, 'accepted' | 'uncertain'>,
  stored: number,
): string | undefined {
  // An order whose answer was lost may be there or not.
  if (stored >= accepted && stored <= accepted + uncertain) return undefined;
  return `${accepted} orders were accepted, ${stored} are there`;
}

/** Orders a second, from the first one's arrival to the last one's settlement. */
export function settledPerSecond({ times }: Outcome): number {
  return times.orders / times.seconds;
}

/** Lets code be compiled, statements prepared and pools filled before anything is measured. */
export async function warmUp(
  system: SystemUnderTest,
  { clients, users, seconds }: LoadSettings,
): Promise<void> {
  const until = { seconds: Math.min(warmUpSecondsMax, seconds) };
  await driveAndSettle(system, { pace: { clients }, until }, { users });
}

/** Everything about a system that is as busy as it can be. */
export async function measureThroughput(
  system: SystemUnderTest,
  { clients, users, seconds }: LoadSettings,
): Promise<{ perSecond: number; figures: Figure[] }> {
  const sampler = new Sampler(system);
  const before = cpuMicros(system.processes);
  const outcome = await driveAndSettle(system, { pace: { clients }, until: { seconds } }, { users });
  const micros = cpuSince(before, system.processes);
  const { driven, times } = outcome;
  const perSecond = settledPerSecond(outcome);
  const cpu = [...micros, ['generator', driven.cpuMicros] as const];
  const figures: Figure[] = [
    { name: 'orders settled', value: perSecond, unit: '/s', headline: true },
    { name: 'orders accepted', value: driven.accepted / driven.seconds, unit: '/s' },
    { name: 'errors', value: driven.errors, unit: '' },
    { name: 'accepted after, p50', value: driven.p50, unit: 'ms' },
    { name: 'accepted after, p99', value: driven.p99, unit: 'ms' },
    { name: 'settled after, p50', value: times.p50, unit: 'ms' },
    { name: 'settled after, p99', value: times.p99, unit: 'ms' },
    ...(micros.size === 0 ? [] : cpu).map(
      ([name, value]): Figure => ({
        name: `CPU an order, ${name}`,
        value: value / times.orders,
        unit: 'µs',
        ...(name === 'generator' ? { goal: '≤ 100' } : {}),
      }),
    ),
    ...(await sampler.stop()),
    ...(await queueSizes(system.admin)).map(
      ({ name, table, indexes }): Figure => ({ name: `size, ${name}`, value: table + indexes, unit: 'MB' }),
    ),
  ];
  return { perSecond, figures };
}

/** The same load on a single account; as a ratio to the rate of many. */
export async function measureHotAccount(
  system: SystemUnderTest,
  { clients, seconds }: LoadSettings,
  ofMany: number | undefined,
): Promise<Figure[]> {
  const outcome = await driveAndSettle(system, { pace: { clients }, until: { seconds } }, { users: 1 });
  const perSecond = settledPerSecond(outcome);
  const ratio: Figure[] =
    ofMany === undefined
      ? []
      : [{ name: 'to many accounts', value: perSecond / ofMany, unit: 'x', goal: '≥ 0.95' }];
  return [{ name: 'orders settled', value: perSecond, unit: '/s', headline: true }, ...ratio];
}

/** Latencies at a steady rate, whatever the answers take. */
export async function measureSteady(
  system: SystemUnderTest,
  { users, seconds }: LoadSettings,
  { perSecond, goals }: { perSecond: number; goals: { p50?: string; p99?: string } },
): Promise<Figure[]> {
  const outcome = await driveAndSettle(system, { pace: { perSecond }, until: { seconds } }, { users });
  const { driven, times } = outcome;
  const goalOf = (goal: string | undefined) => (goal === undefined ? {} : { goal });
  return [
    { name: 'settled after, p50', value: times.p50, unit: 'ms', ...goalOf(goals.p50) },
    { name: 'settled after, p99', value: times.p99, unit: 'ms', ...goalOf(goals.p99) },
    { name: 'accepted after, p50', value: driven.p50, unit: 'ms' },
    { name: 'accepted after, p99', value: driven.p99, unit: 'ms' },
  ];
}

/** Latencies when nearly nothing happens. */
export function measureIdle(system: SystemUnderTest, settings: LoadSettings): Promise<Figure[]> {
  return measureSteady(system, settings, {
    perSecond: idlePerSecond,
    goals: { p50: '≤ 8', p99: '≤ 18' },
  });
}

/** Statements a second by who sends them, in a load of its own, because counting them costs a little. */
export async function measureStatements(
  system: SystemUnderTest,
  { clients, users, seconds }: LoadSettings,
): Promise<Figure[]> {
  await startCountingStatements(system.admin);
  const until = { seconds: Math.min(countedSecondsMax, seconds) };
  const { times } = await driveAndSettle(system, { pace: { clients }, until }, { users });
  const calls = await stopCountingStatements(system.admin);
  const broker = calls.get('broker') ?? Number.NaN;
  return [
    ...[...calls].map(
      ([role, count]): Figure => ({ name: `statements, ${role}`, value: count / times.seconds, unit: '/s' }),
    ),
    { name: 'orders a broker statement', value: times.orders / broker, unit: '' },
  ];
}
