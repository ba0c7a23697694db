import type { DatabaseName } from '../../platform/config.ts';
import type { CommonClock } from '../common-clock.ts';
import type { StepLatency } from './top-document.ts';

/** Orders settled longer ago no longer count. */
const windowMs = 10_000;
/** Orders held at most; the oldest go. */
const samplesMax = 5_000;

/** The moments of one order's steps, each by its database's clock. */
export interface OrderMoments {
  createdAt: number;
  requestPublishedAt: number;
  receivedAt: number;
  decidedAt: number;
  resultPublishedAt: number;
  settledAt: number;
}

/** The steps whose time is told: from which moment to which. */
const spans: readonly {
  step: StepLatency['step'];
  number: number | null;
  from: [keyof OrderMoments, DatabaseName];
  to: [keyof OrderMoments, DatabaseName];
}[] = [
  { step: 'published', number: 2, from: ['createdAt', 'orders'], to: ['requestPublishedAt', 'broker'] },
  { step: 'received', number: 3, from: ['requestPublishedAt', 'broker'], to: ['receivedAt', 'payments'] },
  { step: 'decided', number: 4, from: ['receivedAt', 'payments'], to: ['decidedAt', 'payments'] },
  { step: 'published', number: 5, from: ['decidedAt', 'payments'], to: ['resultPublishedAt', 'broker'] },
  { step: 'settled', number: 6, from: ['resultPublishedAt', 'broker'], to: ['settledAt', 'orders'] },
  { step: 'order', number: null, from: ['createdAt', 'orders'], to: ['settledAt', 'orders'] },
];

/** Latencies by step over a sliding window of sampled orders. */
export class StepLatencies {
  #samples: { seenAt: number; ms: (number | null)[] }[] = [];

  /** Takes orders in that were settled since the last time. @param now monotonic milliseconds */
  add(orders: readonly Partial<OrderMoments>[], clock: CommonClock, now: number): void {
    const taken = orders.map((order) => ({
      seenAt: now,
      ms: spans.map(({ from, to }) => {
        const [begin, end] = [order[from[0]], order[to[0]]];
        if (begin === undefined || end === undefined) return null;
        return clock.elapsedMs({ moment: begin, database: from[1] }, { moment: end, database: to[1] });
      }),
    }));
    this.#samples = [...this.#samples.filter(({ seenAt }) => now - seenAt < windowMs), ...taken].slice(
      -samplesMax,
    );
  }

  /** The percentiles now. */
  summary(): StepLatency[] {
    return spans.map(({ step, number }, index) => {
      const values = this.#samples.flatMap(({ ms }) => ms[index] ?? []).sort((a, b) => a - b);
      return {
        step,
        number,
        p50: percentile(values, 0.5),
        p95: percentile(values, 0.95),
        p99: percentile(values, 0.99),
        orders: values.length,
      };
    });
  }
}

/** The value that this part of the values does not exceed (nearest rank); of none, null. */
export function percentile(sorted: readonly number[], part: number): number | null {
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? null;
}
