import { pause } from '../../platform/lifecycle.ts';
import { createLogger } from '../../platform/logging.ts';
import { PassLoop } from '../../platform/pass-loop.ts';
import { roleUrl } from '../../system/roles.ts';
import { audit } from '../audit/audit.ts';
import type { Invariant } from '../audit/findings.ts';
import { ChaosLoad } from './chaos-load.ts';
import { ChaosSystem } from './chaos-system.ts';
import { ClientRecord, type Outcome } from './client-record.ts';
import { FaultSchedule, type Strike } from './fault-schedule.ts';
import type { FaultName, Victims } from './faults.ts';
import { seededRandom } from './random.ts';
import {
  countNewOrders,
  readDeadLetters,
  readDeliveries,
  readEarlyAcknowledgements,
  readFinalOrders,
  readInboxDuplicates,
  readStoredWrites,
} from './stored-state.ts';

/** Everything acknowledged must be final within this after the last fault has ended. */
const livenessMs = 30_000;
const pollMs = 200;
/** After the orders are final, duplicates may still be on their way. */
const quietMsMax = 30_000;
/** Between two audits of what must hold at every instant. */
const auditMs = 2_000;
const usersMax = 40;
const failuresMax = 100;

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

/** Something that must not be. */
export interface Failure {
  invariant: string;
  id: string;
  detail: string;
}

/** What came of it. `--json` prints this. */
export interface ChaosReport {
  ok: boolean;
  seed: number;
  seconds: number;
  faults: Record<string, { struck: number; missed: number }>;
  requests: Record<Outcome, number>;
  deliveries: { total: number; duplicates_suppressed: number };
  dead_letters: { poison_sent: number; poison_found: number };
  audits: { done: number; unreadable: number };
  recovery: { all_final_after_ms: number | null; slowest_order_ms: number };
  failures: Failure[];
}

/**
 * Starts a system of its own, loads it, harms it as the seed wills, audits it all the while; then heals it,
 * waits, and decides: safety (nothing broken, ever) and liveness (everything final in time). Leaves nothing
 * behind. When `signal` aborts, the run ends early and is judged all the same.
 */
export async function runChaos(
  options: ChaosOptions,
  events: ChaosEvents,
  signal: AbortSignal,
): Promise<ChaosReport> {
  const system = new ChaosSystem({
    separateDatabases: options.separateDatabases,
    instances: options.instances,
    logLevel: 'info',
    onLine: events.line,
  });
  try {
    events.phase('starting');
    await system.start();
    return await harm(system, options, events, signal);
  } finally {
    events.phase('cleaning up');
    await system.stop();
  }
}

async function harm(
  system: ChaosSystem,
  options: ChaosOptions,
  events: ChaosEvents,
  signal: AbortSignal,
): Promise<ChaosReport> {
  const { seed, durationMs } = options;
  const startedAt = performance.now();
  const record = new ClientRecord();
  const load = new ChaosLoad({
    url: system.gatewayUrl,
    record,
    random: seededRandom(seed ^ 0x10ad),
    users: Array.from({ length: usersMax }, (_, index) => `user-${index}`),
    perSecond: options.ordersPerSecond,
  });
  await load.prepare();
  const over = AbortSignal.any([signal, AbortSignal.timeout(durationMs)]);
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
    for (const { link } of system.links) link.heal();
    for (const { revive } of system.servers) await revive();
    await load.stop();
    const finalAfterMs = await untilFinal(system);
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
    });
  } finally {
    clearInterval(progress);
    await load.stop();
    await audits.stop();
  }
}

/** Audits what must hold at every instant, again and again. A server that is down cannot be read: counted. */
class ContinuousAudit {
  readonly #loop: PassLoop;
  readonly failures: Failure[] = [];
  done = 0;
  unreadable = 0;

  constructor(system: ChaosSystem) {
    const pass = async () => {
      try {
        this.failures.push(...(await violations(system, {})));
        this.done += 1;
      } catch {
        this.unreadable += 1;
      }
      return false;
    };
    this.#loop = new PassLoop({ name: 'audit', pass, idleMs: auditMs, log: createLogger('chaos', 'silent') });
  }

  start(): void {
    this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }
}

/** Dead letters are what poison becomes: they are counted one by one, not by the audit. */
const expected: readonly Invariant[] = ['no-contradiction', 'dead-letters-acknowledged'];

/** What the audit finds broken. Rejects when a database cannot be read. */
async function violations(system: ChaosSystem, options: { waitMs?: number }): Promise<Failure[]> {
  const report = await audit(system.urls, options);
  return report.violations.filter(({ invariant }) => !expected.includes(invariant));
}

/** Milliseconds until no order is NEW any more; null when that takes too long. */
async function untilFinal(system: ChaosSystem): Promise<number | null> {
  const since = performance.now();
  while (performance.now() - since < livenessMs) {
    const waiting = await countNewOrders(system.urls).catch(() => Number.POSITIVE_INFINITY);
    if (waiting === 0) return Math.round(performance.now() - since);
    await pause(pollMs, new AbortController().signal);
  }
  return null;
}

interface Evidence {
  system: ChaosSystem;
  options: ChaosOptions;
  record: ClientRecord;
  schedule: FaultSchedule;
  victims: Victims;
  audits: ContinuousAudit;
  finalAfterMs: number | null;
  startedAt: number;
}

async function judge(evidence: Evidence): Promise<ChaosReport> {
  const { system, options, record, schedule, victims, audits, finalAfterMs, startedAt } = evidence;
  const { poison, others } = await readDeadLetters(system.urls);
  const found = [...victims.poisoned].filter((id) => poison.has(id)).length;
  const faults = Object.fromEntries(
    options.faults.map((name) => {
      const of = schedule.strikes.filter(({ fault }) => fault === name);
      const struck = of.filter((strike) => strike.struck).length;
      return [name, { struck, missed: of.length - struck }];
    }),
  );
  const failures: Failure[] = [
    ...audits.failures,
    ...(await violations(system, { waitMs: quietMsMax })),
    ...record
      .compare(await readStoredWrites(system.urls))
      .map(({ key, detail }) => ({ invariant: 'client-record', id: key, detail })),
    ...others.map((id) => ({
      invariant: 'no-dead-letters',
      id,
      detail: 'a message of ours became a dead letter',
    })),
    ...system.crashes.map((what) => ({
      invariant: 'no-crash',
      id: what,
      detail: 'a daemon ended by itself',
    })),
  ];
  for (const { orderId, queue, detail } of await readEarlyAcknowledgements(system.urls)) {
    failures.push({ invariant: 'acknowledged-when-committed', id: orderId, detail: `${queue}: ${detail}` });
  }
  for (const { orderId, count } of await readInboxDuplicates(system.urls)) {
    failures.push({
      invariant: 'inbox-holds-it-once',
      id: orderId,
      detail: `the request is there ${count} times`,
    });
  }
  const fail = (invariant: string, detail: string) => failures.push({ invariant, id: '', detail });
  if (finalAfterMs === null) {
    fail(
      'liveness',
      `${await countNewOrders(system.urls)} orders are not final ${livenessMs / 1_000} s after the last fault`,
    );
  }
  if (found < victims.poisoned.size)
    fail('poison-kept', `${victims.poisoned.size - found} poisoned messages are in no dead-letter queue`);
  for (const [name, { struck }] of Object.entries(faults)) {
    if (struck === 0) fail('fault-struck', `the fault ${name} never struck: the run proves nothing about it`);
  }
  const { deliveries, duplicates, slowestMs } = await readDeliveries(system.urls);
  return {
    ok: failures.length === 0,
    seed: options.seed,
    seconds: Math.round((performance.now() - startedAt) / 100) / 10,
    faults,
    requests: record.counts(),
    deliveries: { total: deliveries, duplicates_suppressed: duplicates },
    dead_letters: { poison_sent: victims.poisoned.size, poison_found: found },
    audits: { done: audits.done, unreadable: audits.unreadable },
    recovery: { all_final_after_ms: finalAfterMs, slowest_order_ms: slowestMs },
    failures: failures.slice(0, failuresMax),
  };
}
