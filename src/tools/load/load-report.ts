import type { AuditReport } from '../audit/audit.ts';
import type { Bin, LatencyFigures } from './latencies.ts';
import type { OrderRun } from './order-run.ts';
import type { Settlements } from './settlements.ts';
import type { ThresholdResult } from './thresholds.ts';
import type { Slice } from './timeline.ts';

/** What `tillbox load --json` prints. Rates are a second, times what their names say; null: not measured. */
export interface LoadReport {
  /** Orders sent. */
  orders: number;
  finished: number;
  canceled: number;
  /** Orders that were never accepted, after all tries. */
  errors: number;
  /** From the first order to the last answer. */
  seconds: number;
  accepted_per_s: number;
  /** Settled orders over the time to the last settlement; null when none settled. */
  settled_per_s: number | null;
  /** From sending an order, in an open loop from when it was due, to its acceptance. */
  accept_ms: LatencyFigures;
  /** From creation to settlement, by the clock of the database. */
  settle_ms: LatencyFigures;
  /** Null when it was not wanted, or there was no database to read. */
  audit: (Pick<AuditReport, 'ok'> & Partial<AuditReport>) | null;
  /** Why the audit that was wanted could not read a database; null when it could. */
  audit_error: string | null;
  accepted: number;
  /** Orders that are there and not final when the wait for them ended. */
  unsettled: number;
  /** Accepted orders that are not there. */
  lost: number;
  /** Orders that are there and that no request can have made. */
  doubled: number;
  /** Of the errors: orders that may be there all the same. */
  unknown: number;
  /** Orders that were due in an open loop and never left. */
  unsent: number;
  /** Tries beyond the first of each order. */
  retries: number;
  /** What was answered at every try, or why nothing was. */
  answers: Record<string, number>;
  /** From the last creation to the last settlement; null when orders are left unsettled. */
  drain_s: number | null;
  /** Where settlements were read. */
  settle_source: 'databases' | 'gateway' | null;
  thresholds: ThresholdResult[];
  interrupted: boolean;
  /** The run ended early because nothing answered any more. */
  gateway_away: boolean;
  run: LoadSettings;
  /** CPU time of the process that made the load, in microseconds an order. */
  generator_cpu_us: number;
}

/** How a run was set up: what repeats it. */
export interface LoadSettings {
  /** In the names of its users and its idempotency keys. */
  id: string;
  seed: number;
  loop: 'closed' | 'open';
  clients: number;
  rate: number | null;
  orders: number | null;
  duration_s: number | null;
  users: number;
  hot: number;
  overdraft: number;
  amount: string;
}

/** What a chart of a run shows. */
export interface LoadCourse {
  accepted: readonly Slice[];
  acceptedSliceSeconds: number;
  settled: readonly Slice[];
  settledSliceSeconds: number;
  acceptBins: readonly Bin[];
  settleBins: readonly Bin[];
}

/** What a run was measured by. */
export interface Measured {
  run: OrderRun;
  settlements: Settlements | undefined;
  source: LoadReport['settle_source'];
  audit: LoadReport['audit'];
  audit_error: LoadReport['audit_error'];
  settings: LoadSettings;
  cpuUs: number;
  interrupted: boolean;
}

/** Puts a run's figures together; thresholds are for the caller to judge. */
export function reportOf(measured: Measured): LoadReport {
  const { run, settlements, settings } = measured;
  const seconds = Math.max((run.endedAt - run.startedAt) / 1_000, 0.001);
  const settled = (settlements?.finished ?? 0) + (settlements?.canceled ?? 0);
  const unsettled = settlements === undefined ? run.accepted : settlements.stored - settled;
  const stored = settlements?.stored ?? run.accepted;
  return {
    orders: run.sent,
    finished: settlements?.finished ?? 0,
    canceled: settlements?.canceled ?? 0,
    errors: run.errors,
    seconds: rounded(seconds, 3),
    accepted_per_s: rounded(run.accepted / seconds, 1),
    settled_per_s:
      settlements === undefined || settled === 0
        ? null
        : rounded(settled / Math.max(settlements.lastSettledSeconds, 0.001), 1),
    accept_ms: run.accepts.figures(),
    settle_ms: settlements?.latencies.figures() ?? { p50: null, p95: null, p99: null, max: null },
    audit: measured.audit,
    audit_error: measured.audit_error,
    accepted: run.accepted,
    unsettled,
    lost: Math.max(0, run.accepted - stored),
    doubled: Math.max(0, stored - run.accepted - run.uncertain),
    unknown: run.uncertain,
    unsent: run.unsent,
    retries: run.retries,
    answers: Object.fromEntries(run.answers),
    drain_s:
      settlements === undefined || unsettled > 0
        ? null
        : rounded(Math.max(0, settlements.lastSettledSeconds - settlements.lastCreatedSeconds), 3),
    settle_source: measured.source,
    thresholds: [],
    interrupted: measured.interrupted,
    gateway_away: run.gatewayAway,
    run: settings,
    generator_cpu_us: run.sent === 0 ? 0 : Math.round(measured.cpuUs / run.sent),
  };
}

/** What charts show of it. */
export function courseOf({ run, settlements }: Measured): LoadCourse {
  return {
    accepted: run.timeline.slices(),
    acceptedSliceSeconds: run.timeline.sliceSeconds,
    settled: settlements?.timeline.slices() ?? [],
    settledSliceSeconds: settlements?.timeline.sliceSeconds ?? 1,
    acceptBins: run.accepts.bins(),
    settleBins: settlements?.latencies.bins() ?? [],
  };
}

function rounded(value: number, digits: number): number {
  return Math.round(value * 10 ** digits) / 10 ** digits;
}
