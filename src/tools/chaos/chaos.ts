import { pause } from '../../platform/lifecycle.ts';
import { createLogger } from '../../platform/logging.ts';
import { roleUrl } from '../../system/roles.ts';
import { seededRandom } from '../random.ts';
import { ChaosLoad } from './chaos-load.ts';
import { ChaosSystem } from './chaos-system.ts';
import { ClientRecord, type Outcome } from './client-record.ts';
import { ContinuousAudit } from './continuous-audit.ts';
import { FaultSchedule, type Strike } from './fault-schedule.ts';
import type { FaultName, Victims } from './faults.ts';
import { countNewOrders, readFinalOrders } from './stored-state.ts';
import { type ChaosReport, judge, livenessMs } from './verdict.ts';

const pollMs = 200;
const usersMax = 40;

/** What to do to which system, how long. */
export interface ChaosOptions {
  durationMs: number;
  seed: number;
  ordersPerSecond: number;
  faults: readonly FaultName[];
  instances: { orders: number; payments: number };
  separateDatabases: boolean;
}

/** What can be watched while it runs. */
export interface ChaosEvents {
  phase(what: string): void;
  strike(strike: Strike): void;
  progress(counts: Record<Outcome, number>): void;
  line(name: string, line: string): void;
}

/** How a run may be ended from outside. */
export interface ChaosSignals {
  /** The faults end early, and what was seen is judged. */
  early: AbortSignal;
  /** Everything ends at once and is cleaned up, without a verdict. */
  atOnce: AbortSignal;
}

/**
 * Starts a system of its own, loads it, harms it as the seed wills, audits it all the while; then heals it,
 * waits, and decides: safety (nothing broken, ever) and liveness (everything final in time). Leaves nothing
 * behind. Answers undefined when it was ended before there was anything to judge.
 */
export async function runChaos(
  options: ChaosOptions,
  events: ChaosEvents,
  signals: ChaosSignals,
): Promise<ChaosReport | undefined> {
  const system = new ChaosSystem({
    separateDatabases: options.separateDatabases,
    instances: options.instances,
    logLevel: 'info',
    onLine: events.line,
  });
  try {
    events.phase('starting');
    await system.start();
    if (signals.early.aborted) return undefined;
    const harming = harm(system, options, events, signals);
    // Given up, it ends by itself, of what is taken from under it.
    harming.catch(() => {});
    return await Promise.race([harming, whenAborted(signals.atOnce)]);
  } finally {
    events.phase('cleaning up');
    await system.stop();
  }
}

async function harm(
  system: ChaosSystem,
  options: ChaosOptions,
  events: ChaosEvents,
  { early, atOnce }: ChaosSignals,
): Promise<ChaosReport> {
  const { seed, durationMs } = options;
  const startedAt = performance.now();
  const record = new ClientRecord();
  const load = new ChaosLoad({
    url: system.gatewayUrl,
    record,
    random: seededRandom(seed ^ 0x10ad),
    users: Array.from({ length: usersMax }, (_, index) => `user-${index}`),
    ordersPerSecond: options.ordersPerSecond,
  });
  await load.prepare();
  const over = AbortSignal.any([early, atOnce, AbortSignal.timeout(durationMs)]);
  const victims: Victims = {
    random: seededRandom(seed),
    processes: () => system.processes(),
    servers: system.servers,
    links: system.links,
    record,
    brokerUrl: await roleUrl(system.urls.broker, 'broker', createLogger('chaos', 'silent')),
    finalOrders: () => readFinalOrders(system.urls),
    poisoned: new Set(),
    signal: over,
  };
  const audits = new ContinuousAudit(system);
  const schedule = new FaultSchedule(victims, options.faults, events.strike);
  const progress = setInterval(() => events.progress(record.counts()), 1_000);
  try {
    events.phase('faults');
    load.start();
    schedule.start();
    audits.start();
    await pause(durationMs, over);
    events.phase('healing');
    await schedule.stop();
    await heal(system);
    await schedule.strikeMissing(early);
    await heal(system);
    const healedAt = performance.now();
    await load.stop();
    const finalAfterMs = await untilFinal(system, healedAt, atOnce);
    await audits.stop();
    events.phase('judging');
    return await judge({
      system,
      options,
      record,
      schedule,
      victims,
      audits,
      finalAfterMs,
      startedAt,
      interrupted: early.aborted,
      hurry: atOnce,
    });
  } finally {
    clearInterval(progress);
    await load.stop();
    await audits.stop();
  }
}

async function heal(system: ChaosSystem): Promise<void> {
  for (const { link } of system.links) link.heal();
  for (const { revive } of system.servers) await revive();
}

function whenAborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
}

/** Milliseconds from `since` until no order is NEW any more; null when that takes too long. */
async function untilFinal(system: ChaosSystem, since: number, atOnce: AbortSignal): Promise<number | null> {
  while (performance.now() - since < livenessMs && !atOnce.aborted) {
    const waiting = await countNewOrders(system.urls).catch(() => Number.POSITIVE_INFINITY);
    if (waiting === 0) return Math.round(performance.now() - since);
    await pause(pollMs, atOnce);
  }
  return null;
}
