import { setTimeout as sleep } from 'node:timers/promises';
import type { AuditDatabase } from './audit-database.ts';
import type { Findings, Invariant } from './findings.ts';
import {
  brokerInFlight,
  countInFlight,
  type InFlight,
  isQuiet,
  ordersInFlight,
  paymentsInFlight,
  type Step,
  steps,
} from './in-flight.ts';

/** Pause between two looks: a million rows on their way are counted in a fraction of it. */
const pollMs = 500;

/** Which invariant a step breaks that does not move. Orders are judged one by one, elsewhere. */
const invariantOf: Partial<Record<Step, Invariant>> = {
  orders_outbox: 'outboxes-empty',
  payment_requests: 'queues-empty',
  inbox: 'inbox-empty',
  payments_outbox: 'outboxes-empty',
  payment_results: 'queues-empty',
};

/** Waits for quiet, and notices meanwhile which steps stand still. */
export class QuietWait {
  readonly #deadline: number;
  readonly #stillMs: number;
  readonly #oldestSince = new Map<Step, { oldest: string; since: number }>();

  /** @param options.stillMs a step whose oldest stays the same for so long stands still */
  constructor(options: { waitMs: number; stillMs: number }) {
    this.#deadline = performance.now() + options.waitMs;
    this.#stillMs = options.stillMs;
  }

  get isOver(): boolean {
    return performance.now() >= this.#deadline;
  }

  /** Resolves when nothing is on its way, or the wait is over. */
  async untilQuiet(
    databases: Record<'orders' | 'payments' | 'broker', AuditDatabase>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    for (;;) {
      signal?.throwIfAborted();
      const inFlight = {
        ...(await ordersInFlight(databases.orders)),
        ...(await paymentsInFlight(databases.payments)),
        ...(await brokerInFlight(databases.broker)),
      };
      this.see(inFlight);
      const leftMs = this.#deadline - performance.now();
      if (leftMs <= 0 || isQuiet(countInFlight(inFlight))) return;
      await sleep(Math.min(pollMs, leftMs), undefined, signal ? { signal } : {});
    }
  }

  /** Notes what is the oldest at each step. */
  see(inFlight: InFlight): void {
    for (const step of steps) {
      const { oldest } = inFlight[step];
      if (oldest === null) this.#oldestSince.delete(step);
      else if (this.#oldestSince.get(step)?.oldest !== oldest) {
        this.#oldestSince.set(step, { oldest, since: performance.now() });
      }
    }
  }

  /** Finds the steps that stood still all the while: what waits there, waits for ever. */
  checkStanding(inFlight: InFlight, findings: Findings): void {
    this.see(inFlight);
    for (const step of steps) {
      const invariant = invariantOf[step];
      const { count, orderId, oldest } = inFlight[step];
      const stillForMs = performance.now() - (this.#oldestSince.get(step)?.since ?? performance.now());
      if (invariant === undefined || stillForMs < this.#stillMs) continue;
      const seconds = Math.round(stillForMs / 1_000);
      const detail = `${step} stood still for ${seconds} s with ${count} messages, the oldest ${oldest}`;
      findings.add(invariant, orderId ?? step, detail);
    }
  }
}
