import type { Outbox } from '../messaging/outbox.ts';
import type { Database } from '../platform/database.ts';
import { claimOverdue } from './store.ts';

/**
 * An order is overdue when its payment was requested so long ago. Normal is milliseconds. With the time until the
 * next look, less than the 30 s in which everything is to be final after a loss that nobody noticed.
 */
const overdueSeconds = 25;
/** The wait is longer after each request, up to this. */
const backoffSecondsMax = 600;
/** How long an order waits for its payment, in seconds, before the sweep requests it again. */
export interface Patience {
  overdueSeconds: number;
  backoffSecondsMax: number;
  /** How many times as long it waits after each request. */
  growth: number;
}

/** As long as nothing says otherwise. */
export const usualPatience: Patience = { overdueSeconds, backoffSecondsMax, growth: 2 };
/**
 * While nobody keeps up with the queues: requested again once, in case it was lost, and then at the longest
 * pause, because what waits would wait again behind itself, and whatever comes fresh behind all of it.
 */
export const patienceInBacklog: Patience = { ...usualPatience, growth: backoffSecondsMax / overdueSeconds };

/** Orders re-requested in one pass. */
const sweptMax = 500;

/**
 * The sweep: requests the payment of orders again that stay NEW too long, from the orders database alone.
 * Whatever was lost behind (a broker wiped or restored from yesterday), payments answers a request it has
 * decided with the decision it recorded. Answers how many were requested again.
 */
export function sweepOrders(
  database: Database,
  outbox: Outbox,
  patience: Patience = usualPatience,
): Promise<number> {
  return database.transaction(async (tx) => {
    const orders = await claimOverdue(tx, { ...patience, limit: sweptMax });
    const requests = orders.map(({ id, userId, amount }) => ({
      type: 'payment.requested.v1' as const,
      orderId: id,
      userId,
      amount,
    }));
    await outbox.add(tx, requests, []);
    return orders.length;
  });
}

/** The patience that takes every order last requested more than so many milliseconds ago. */
export function requestedBefore(msAgo: number): Patience {
  return { overdueSeconds: msAgo / 1_000, backoffSecondsMax: msAgo / 1_000, growth: 1 };
}

/** Whether a pass took all it may, so that there is probably more. */
export function sweptAll(count: number): boolean {
  return count === sweptMax;
}
