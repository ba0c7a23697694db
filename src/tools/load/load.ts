import { randomBytes } from 'node:crypto';
import { CodedError } from '../../platform/errors.ts';
import { createLogger, type Logger } from '../../platform/logging.ts';
import { formatAmount } from '../../platform/money.ts';
import type { GatewayAccess } from '../../system/gateway-access.ts';
import type { DatabaseUrls } from '../../system/migrate.ts';
import { audit } from '../audit/audit.ts';
import { auditorUrls } from '../audit/audit-database.ts';
import { targetOf } from './connection.ts';
import { createUsers } from './create-users.ts';
import { DatabaseSettlements } from './database-settlements.ts';
import { GatewaySettlements } from './gateway-settlements.ts';
import { type LiveFigures, LiveView } from './live-view.ts';
import { courseOf, type LoadCourse, type LoadReport, type LoadSettings, reportOf } from './load-report.ts';
import { type OrderMix, planOrders, usersOf } from './order-plan.ts';
import { OrderRun } from './order-run.ts';
import { plannedOrders } from './pace.ts';
import { settle } from './settle.ts';
import type { SettlementReader } from './settlements.ts';
import { checkThreshold, type Threshold } from './thresholds.ts';

/** How to load which gateway. */
export interface LoadOptions {
  gateway: GatewayAccess;
  /** One of these must be there; with both, whichever comes first. */
  orders?: number;
  durationMs?: number;
  /** Orders a second of an open loop; without it, each client sends its next order when the last is answered. */
  ratePerSecond?: number;
  /** Requests under way at once. */
  clients: number;
  /** Accounts with money. */
  users: number;
  /** Share of the payable orders that are on one account, 0 to 1. */
  hotShare?: number;
  /** Share of the orders that are of users without money, 0 to 1. */
  overdraftShare?: number;
  /** In minor units, both ends included. */
  amountMin: bigint;
  amountMax: bigint;
  /** The same seed, the same orders. */
  seed: number;
  /** How long the settling of what was accepted is waited for, after the last answer. */
  drainMs: number;
  thresholds?: readonly Threshold[];
  /** Of administrators, or of roles that may read; without them settlements are read at the gateway. */
  databases?: DatabaseUrls;
  /** Whether the databases are audited at the end, when they can be read. */
  audit?: boolean;
  log?: Logger;
}

/** What can be watched while it runs. */
export interface LoadEvents {
  phase(what: string): void;
  /** The databases cannot be read, and why. */
  notice(text: string): void;
  progress(figures: LiveFigures): void;
}

/** A run's figures, and their course for charts. */
export interface LoadResult {
  report: LoadReport;
  course: LoadCourse;
}

/** While orders are on their way the audit waits for quiet as long. */
const auditWaitMs = 10_000;
/** In a run whose length only time decides: more orders a second than there can be. */
const ordersPerSecondMax = 20_000;

const silent: LoadEvents = { phase: () => {}, notice: () => {}, progress: () => {} };

/**
 * Loads a gateway with orders of users it creates, waits until they are settled, and measures: how fast orders
 * are accepted (by this process's clock) and settled (by the database's). When `signal` aborts it ends early
 * and answers what was done.
 * @throws CodedError `unavailable` when there is no gateway
 */
export async function runLoad(
  options: LoadOptions,
  events: LoadEvents = silent,
  signal: AbortSignal = new AbortController().signal,
): Promise<LoadResult> {
  const { overdraftShare = 0, hotShare = 0, clients } = options;
  const pace = {
    ratePerSecond: options.ratePerSecond,
    orders: options.orders,
    durationMs: options.durationMs,
  };
  const runId = randomBytes(5).toString('hex');
  const mix: OrderMix = { ...options, runId, overdraftShare, hotShare };
  const target = targetOf(options.gateway);
  const all = plannedOrders(pace) ?? ((options.durationMs ?? 0) / 1_000) * ordersPerSecondMax;

  events.phase(`creating ${options.users} users`);
  await createUsers(target, mix, {
    orders: all,
    signal,
    onProgress: (done, of) => events.progress({ kind: 'users', done, all: of }),
  });
  const { rich, poor } = usersOf(mix);
  const reader = await openReader([...rich, ...poor], options, events);
  try {
    const run = new OrderRun({ target, runId, clients, pace, nextOrder: planOrders(mix) });
    await reader.begin();
    events.phase('sending orders');
    const live = new LiveView(run, reader, (figures) => events.progress(figures));
    const cpuBefore = process.cpuUsage();
    live.start();
    await run.run(signal);
    await live.stop();
    const cpu = process.cpuUsage(cpuBefore);
    events.phase('waiting until they are settled');
    const settlements = await settle(run, reader, { drainMs: options.drainMs, events, signal });
    if (settlements === undefined) events.notice('What became of the orders could not be read.');
    const measured = {
      run,
      settlements,
      source: settlements === undefined ? null : reader.source,
      ...(await auditOf(reader, options, events, signal)),
      settings: settingsOf(options, runId),
      cpuUs: cpu.user + cpu.system,
      interrupted: signal.aborted,
    };
    const report = reportOf(measured);
    report.thresholds = (options.thresholds ?? []).map((threshold) => checkThreshold(threshold, report));
    return { report, course: courseOf(measured) };
  } finally {
    await reader.close();
  }
}

/** The databases when they can be read and are those of this gateway, the gateway otherwise. */
async function openReader(
  users: readonly string[],
  { gateway: access, databases, log = createLogger('load', 'silent') }: LoadOptions,
  events: LoadEvents,
): Promise<SettlementReader> {
  const gateway = () => new GatewaySettlements(targetOf(access), users);
  if (databases === undefined) return gateway();
  try {
    const opened = await DatabaseSettlements.open(await auditorUrls(databases, log), users);
    if (opened !== undefined) return opened;
    events.notice('The databases at hand are not those of this gateway.');
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    events.notice(error.message);
  }
  return gateway();
}

/** The audit's verdict where it is wanted and possible; a database it cannot read is no verdict. */
async function auditOf(
  reader: SettlementReader,
  { databases, audit: wanted = true, log }: LoadOptions,
  events: LoadEvents,
  signal: AbortSignal,
): Promise<Pick<LoadReport, 'audit' | 'audit_error'>> {
  if (!wanted || signal.aborted || databases === undefined || reader.source !== 'databases') {
    return { audit: null, audit_error: null };
  }
  events.phase('auditing');
  try {
    const report = await audit(databases, {
      signal,
      waitMs: auditWaitMs,
      ...(log === undefined ? {} : { log }),
    });
    return { audit: report, audit_error: null };
  } catch (error) {
    if (signal.aborted) return { audit: null, audit_error: null };
    if (!(error instanceof CodedError)) throw error;
    return { audit: null, audit_error: error.message };
  }
}

function settingsOf(options: LoadOptions, id: string): LoadSettings {
  const { amountMin, amountMax, ratePerSecond, durationMs } = options;
  const [from, to] = [formatAmount(amountMin), formatAmount(amountMax)];
  return {
    id,
    seed: options.seed,
    loop: ratePerSecond === undefined ? 'closed' : 'open',
    clients: options.clients,
    rate: ratePerSecond ?? null,
    orders: options.orders ?? null,
    duration_s: durationMs === undefined ? null : durationMs / 1_000,
    users: options.users,
    hot: options.hotShare ?? 0,
    overdraft: options.overdraftShare ?? 0,
    amount: from === to ? from : `${from}..${to}`,
  };
}
