import { formatAmount } from '../../platform/money.ts';
import { CommonClock, toIso } from '../common-clock.ts';
import { orderSteps } from './order-steps.ts';
import { duplicateJobs } from './side-steps.ts';
import { standingOf } from './standing.ts';
import type { TraceDocument, TraceStep } from './trace-document.ts';
import type { Facts } from './trace-facts.ts';

/**
 * The trace of an order from what the databases know. Pure.
 * @param at when the facts were read
 */
export function assembleTrace(facts: Facts, at: Date): TraceDocument {
  const { orderId, orders, away } = facts;
  const order = orders?.order ?? undefined;
  const steps = orderSteps(facts);
  const clock = new CommonClock(facts.clocks);
  const totalMs =
    order === undefined || order.settledAt === null
      ? null
      : clock.elapsedMs(
          { moment: order.createdAt, database: 'orders' },
          { moment: order.settledAt, database: 'orders' },
        );
  return {
    at: at.toISOString(),
    order:
      order === undefined
        ? null
        : {
            id: orderId,
            user_id: order.userId,
            amount: formatAmount(order.amount),
            status: order.status,
            reason: order.reason,
            created_at: toIso(order.createdAt),
            settled_at: order.settledAt === null ? null : toIso(order.settledAt),
          },
    order_id: orderId,
    final: order !== undefined && order.status !== 'NEW',
    total_ms: totalMs,
    steps,
    duplicates: countDuplicates(facts),
    standing: standingOf(facts),
    notes: [...clock.notes(), ...backwardNotes(steps), ...restNotes(facts)],
    away,
  };
}

/** Whether any database has heard of the order. */
export function isKnown({ orders, payments, broker }: Facts): boolean {
  const inPayments = payments?.inbox ?? payments?.decision ?? null;
  const inBroker = [broker?.requests, broker?.results, broker?.letters].some((found) => found?.length);
  return (orders?.order ?? null) !== null || inPayments !== null || inBroker;
}

function countDuplicates(facts: Facts): number | null {
  const { inbox } = facts.payments ?? {};
  if (!inbox && facts.broker === undefined) return null;
  const jobs = duplicateJobs(facts);
  const among = (queue: string) =>
    jobs.filter(({ job }) => job.queue === queue).reduce((sum, { copies }) => sum + copies, 0);
  // The inbox counts its own, jobs no longer recorded among them.
  return Math.max((inbox?.deliveries ?? 1) - 1, among('payment-requests')) + among('payment-results');
}

/** Steps that are earlier than the one before them, by clocks that are right now. */
function backwardNotes(steps: readonly TraceStep[]): string[] {
  const timed = steps.filter(({ number, at }) => number !== null && at !== null);
  return timed.slice(1).flatMap((step, index) => {
    if (step.ms !== null) return [];
    const before = timed[index];
    return [
      `${step.step} (step ${step.number}) is earlier than ${before?.step} (step ${before?.number}) by the clocks of their databases: they differed then, or were set in between.`,
    ];
  });
}

function restNotes({ broker, orders, payments }: Facts): string[] {
  const notes: string[] = [];
  if (broker?.more) {
    notes.push('Not all jobs since then were looked through; a later delivery may be missing.');
  }
  if (orders !== undefined && orders.order === null && (payments?.decision ?? payments?.inbox)) {
    notes.push('Payments knows this order and orders does not: was a backup of one of them restored?');
  }
  return notes;
}
