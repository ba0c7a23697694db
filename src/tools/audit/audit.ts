import { createLogger, type Logger } from '../../platform/logging.ts';
import { formatAmount } from '../../platform/money.ts';
import type { DatabaseUrls } from '../../system/migrate.ts';
import { AuditDatabase, auditorUrls } from './audit-database.ts';
import { checkContradictions, checkQuietBroker } from './broker-checks.ts';
import { compare } from './compare.ts';
import { checkDebits, type DecisionRow, decisionsByOrder } from './decision-checks.ts';
import { Findings, type Violation } from './findings.ts';
import {
  brokerInFlight,
  countInFlight,
  isQuiet,
  ordersInFlight,
  paymentsInFlight,
  type Step,
} from './in-flight.ts';
import { checkLedger } from './ledger-checks.ts';
import { checkOrders, type OrderRow, ordersById, ordersTotals } from './orders-checks.ts';
import { checkOverdueOrders } from './overdue-orders.ts';
import { SecondLook } from './second-look.ts';
import { QuietWait } from './wait-for-quiet.ts';

/** What `tillbox audit --json` prints. */
export interface AuditReport {
  /** Whether no invariant is violated. */
  ok: boolean;
  checked: { accounts: number; entries: number; orders: number; decisions: number };
  /** How much is on its way, by step: messages, and orders that are NEW. */
  in_flight: Record<Step, number>;
  violations: Violation[];
}

export interface AuditOptions {
  /**
   * Waits so long for quiet before it judges. Afterwards, quiet or not, it also reports what is lost or
   * stands still. Without it, what must hold when quiet is judged only if nothing is on its way.
   */
  waitMs?: number;
  /** While waiting: a step whose oldest message stays the same for so long stands still. Default 30 s. */
  stillMs?: number;
  log?: Logger;
  /** Ends the audit at once: it rejects with the reason. */
  signal?: AbortSignal;
}

type Databases = Record<'orders' | 'payments' | 'broker', AuditDatabase>;

/**
 * Reads every row of both services and the broker, and checks every invariant: in one short snapshot of
 * each database, orders first, then payments, then the broker. It reads only, locks nothing, repairs
 * nothing, and may run at any time: what is on its way is counted and is no violation.
 * @param urls of administrators, or of roles that may read
 * @throws CodedError `unavailable` when a database could not be read
 */
export async function audit(urls: DatabaseUrls, options: AuditOptions = {}): Promise<AuditReport> {
  const { waitMs = 0, stillMs = 30_000, log = createLogger('audit', 'silent'), signal } = options;
  const roleUrls = await auditorUrls(urls, log);
  const databases = await openDatabases(roleUrls);
  const wait = waitMs > 0 ? new QuietWait({ waitMs, stillMs }) : undefined;
  const close = () => Promise.all(Object.values(databases).map((database) => database.close()));
  signal?.addEventListener('abort', close, { once: true });
  try {
    for (;;) {
      await wait?.untilQuiet(databases, signal);
      signal?.throwIfAborted();
      const report = await auditOnce(databases, { urls: roleUrls, wait: wait?.isOver ? wait : undefined });
      if (wait === undefined || wait.isOver || !report.ok || isQuiet(report.in_flight)) return report;
    }
  } catch (error) {
    // Connections that were cut to end it say that they were lost.
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener('abort', close);
    await close();
  }
}

async function openDatabases(urls: DatabaseUrls): Promise<Databases> {
  const opened: Partial<Databases> = {};
  try {
    for (const name of ['orders', 'payments', 'broker'] as const) {
      opened[name] = await AuditDatabase.open(name, urls[name]);
    }
    return opened as Databases;
  } catch (error) {
    await Promise.all(Object.values(opened).map((database) => database.close()));
    throw error;
  }
}

/** One audit. @param context.wait when a wait for quiet is over: what is not quiet now is judged */
async function auditOnce(
  databases: Databases,
  context: { urls: DatabaseUrls; wait: QuietWait | undefined },
): Promise<AuditReport> {
  const { orders, payments, broker } = databases;
  const findings = new Findings();
  await orders.begin();
  await payments.begin();
  const [ofOrders, ofPayments] = await Promise.all([
    readOrders(orders, findings),
    readPayments(payments, findings),
  ]);
  const { decisions, paidLater } = await compareAll(databases, findings, context);
  await orders.end();
  await payments.end();

  await broker.begin();
  const inFlight = { ...ofOrders.inFlight, ...ofPayments.inFlight, ...(await brokerInFlight(broker)) };
  const counts = countInFlight(inFlight);
  const quiet = isQuiet(counts);
  await checkContradictions(broker, findings);
  if (quiet || context.wait !== undefined) await checkQuietBroker(broker, findings);
  await broker.end();

  if (quiet) checkSums(ofOrders.finished, ofPayments.debits - paidLater, findings);
  else if (context.wait !== undefined) {
    context.wait.checkStanding(inFlight, findings);
    await checkOverdueOrders(databases, findings);
  }
  const violations = findings.list();
  const { accounts, entries } = ofPayments;
  const checked = { accounts, entries, orders: ofOrders.orders, decisions };
  return { ok: violations.length === 0, checked, in_flight: counts, violations };
}

async function readOrders(orders: AuditDatabase, findings: Findings) {
  const inFlight = await ordersInFlight(orders);
  const totals = await ordersTotals(orders);
  await checkOrders(orders, findings);
  return { inFlight, ...totals };
}

async function readPayments(payments: AuditDatabase, findings: Findings) {
  const inFlight = await paymentsInFlight(payments);
  const totals = await checkLedger(payments, findings);
  await checkDebits(payments, findings);
  return { inFlight, ...totals };
}

/** Compares all orders with all decisions; answers how many of these there are, and what later orders paid. */
async function compareAll(
  { orders, payments }: Databases,
  findings: Findings,
  { urls }: { urls: DatabaseUrls },
): Promise<{ decisions: number; paidLater: bigint }> {
  const secondLook = new SecondLook(urls, findings);
  try {
    const decisions = await compare(
      {
        orders: orders.pages<OrderRow>(ordersById),
        decisions: payments.pages<DecisionRow>(decisionsByOrder),
      },
      {
        suspect: (pair) => secondLook.add(pair),
        repeated: ({ order_id, outcome }) =>
          findings.add('one-decision-per-order', order_id, `decided again, as ${outcome}`),
      },
    );
    await secondLook.flush();
    return { decisions, paidLater: secondLook.paidLater };
  } finally {
    await secondLook.close();
  }
}

function checkSums(finished: bigint, debits: bigint, findings: Findings): void {
  if (finished === debits) return;
  const detail = `FINISHED orders of ${formatAmount(finished)}, debits of ${formatAmount(debits)}`;
  findings.add('finished-equals-debits', 'all', detail);
}
