import type { ChaosOptions } from './chaos.ts';
import type { ChaosSystem } from './chaos-system.ts';
import type { ClientRecord, Outcome } from './client-record.ts';
import { type ContinuousAudit, type Failure, violations } from './continuous-audit.ts';
import type { FaultSchedule, Strike } from './fault-schedule.ts';
import type { FaultName, Victims } from './faults.ts';
import {
  countNewOrders,
  readDeadLetters,
  readDeliveries,
  readEarlyAcknowledgements,
  readInboxDuplicates,
  readStoredWrites,
} from './stored-state.ts';

/** Everything acknowledged must be final within this after the last fault has ended. */
export const livenessMs = 30_000;
/** After the orders are final, duplicates may still be on their way. */
const quietMsMax = 30_000;
const failuresMax = 100;

/**
 * Whether the promise held. What was seen broken is a `fail` however the run ended; a run that was ended early
 * and saw nothing broken has none.
 */
export type Verdict = 'pass' | 'fail' | 'interrupted';

/** What came of it. `--json` prints this. */
export interface ChaosReport {
  verdict: Verdict;
  /** Whether the verdict is `pass`. */
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

/** What a verdict rests on. */
export interface Evidence {
  system: ChaosSystem;
  options: ChaosOptions;
  record: ClientRecord;
  schedule: FaultSchedule;
  victims: Victims;
  audits: ContinuousAudit;
  finalAfterMs: number | null;
  startedAt: number;
  /** Whether the faults were ended before their time. */
  interrupted: boolean;
  /** Ends the judging at once. */
  hurry: AbortSignal;
}

/** Decides: safety, liveness, and whether the run proves anything. */
export async function judge(evidence: Evidence): Promise<ChaosReport> {
  const { system, options, record, schedule, victims, audits, finalAfterMs, startedAt, interrupted } =
    evidence;
  const { poison, others } = await readDeadLetters(system.urls);
  const found = [...victims.poisoned].filter((id) => poison.has(id)).length;
  const faults = countStrikes(options.faults, schedule.strikes);
  const failures: Failure[] = [
    ...audits.failures,
    ...(await violations(system, { waitMs: quietMsMax, signal: evidence.hurry })),
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
  if (!interrupted) for (const detail of unproven(faults, audits.done)) fail('proves-something', detail);
  const { deliveries, duplicates, slowestMs } = await readDeliveries(system.urls);
  const verdict = verdictOf(failures.length, interrupted);
  return {
    verdict,
    ok: verdict === 'pass',
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

/** Pure. */
export function verdictOf(failures: number, interrupted: boolean): Verdict {
  if (failures > 0) return 'fail';
  return interrupted ? 'interrupted' : 'pass';
}

/** How often each chosen fault struck, and how often it could not. Pure. */
export function countStrikes(
  chosen: readonly FaultName[],
  strikes: readonly Pick<Strike, 'fault' | 'struck'>[],
): ChaosReport['faults'] {
  return Object.fromEntries(
    chosen.map((name) => {
      const of = strikes.filter(({ fault }) => fault === name);
      const struck = of.filter((strike) => strike.struck).length;
      return [name, { struck, missed: of.length - struck }];
    }),
  );
}

/** Why a run that found nothing proves nothing all the same, a sentence each. Pure. */
export function unproven(faults: ChaosReport['faults'], auditsDone: number): string[] {
  const reasons = Object.entries(faults)
    .filter(([, { struck }]) => struck === 0)
    .map(([name]) => `the fault ${name} never struck: the run proves nothing about it`);
  if (auditsDone === 0) reasons.push('no audit could be made while it ran');
  return reasons;
}
