import type { StepName, StepRate } from '../platform/board-report.ts';
import type { Delivery } from './broker/broker.ts';
import type { Instruments, Stored } from './instruments.ts';
import type { OutboxRow } from './outbox.ts';
import { rateSeconds } from './queue-depth-store.ts';

/** Rates move so often. */
const bucketMs = 500;
const buckets = (rateSeconds * 1_000) / bucketMs;

/** The steps each service takes, by number and name. */
const stepsOf: Record<'orders' | 'payments', readonly { number: number; step: StepName }[]> = {
  orders: [
    { number: 1, step: 'created' },
    { number: 2, step: 'published' },
    { number: 6, step: 'settled' },
  ],
  payments: [
    { number: 3, step: 'received' },
    { number: 4, step: 'decided' },
    { number: 5, step: 'published' },
  ],
};

/**
 * Counts how often this process takes each step, for who asks at which rate; everything is passed on to the
 * instruments behind. It adds a number once a batch, so it may always be there.
 */
export class StepTally implements Instruments {
  readonly #service: 'orders' | 'payments';
  readonly #behind: Instruments;
  readonly #now: () => number;
  readonly #counts: Record<StepName, SlidingCount>;

  /** @param now monotonic milliseconds */
  constructor(service: 'orders' | 'payments', behind: Instruments, now = () => performance.now()) {
    this.#service = service;
    this.#behind = behind;
    this.#now = now;
    const count = () => new SlidingCount();
    this.#counts = {
      created: count(),
      published: count(),
      received: count(),
      decided: count(),
      settled: count(),
    };
  }

  /** The steps of this service, with how often a second each was taken in the last five seconds. */
  rates(): StepRate[] {
    const now = this.#now();
    return stepsOf[this.#service].map(({ number, step }) => ({
      number,
      step,
      per_s: this.#counts[step].sum(now) / rateSeconds,
    }));
  }

  get on(): boolean {
    return this.#behind.on;
  }

  created(orders: number, seconds: number): void {
    this.#count('created', orders);
    this.#behind.created(orders, seconds);
  }

  published(rows: readonly OutboxRow[], begunAt: number): void {
    const messages = rows.reduce((sum, row) => sum + (row.dead_letter === null ? row.messages.length : 0), 0);
    this.#count('published', messages);
    this.#behind.published(rows, begunAt);
  }

  received(outcome: Stored & { firsts: readonly Delivery[] }): void {
    this.#count('received', outcome.firsts.length);
    this.#behind.received(outcome);
  }

  decided(requests: number, waitedSeconds: readonly number[]): void {
    this.#count('decided', requests);
    this.#behind.decided(requests, waitedSeconds);
  }

  settled(deliveries: readonly Delivery[], outcome: Stored & { settled: ReadonlySet<string> }): void {
    this.#count('settled', outcome.settled.size);
    this.#behind.settled(deliveries, outcome);
  }

  swept(orders: number): void {
    this.#behind.swept(orders);
  }

  retried(what: string): void {
    this.#behind.retried(what);
  }

  #count(step: StepName, times: number): void {
    if (times > 0) this.#counts[step].add(times, this.#now());
  }
}

/** How often something happened in the last five seconds, half a second more or less. */
class SlidingCount {
  readonly #counts = new Array<number>(buckets).fill(0);
  #newest = 0;

  add(times: number, now: number): void {
    const bucket = this.#moveTo(now) % buckets;
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + times;
  }

  sum(now: number): number {
    this.#moveTo(now);
    return this.#counts.reduce((sum, count) => sum + count, 0);
  }

  /** Forgets what is too old; answers the number of the bucket that counts now. */
  #moveTo(now: number): number {
    const current = Math.floor(now / bucketMs);
    const forgotten = Math.min(current - this.#newest, buckets);
    for (let back = 0; back < forgotten; back += 1) this.#counts[(current - back) % buckets] = 0;
    this.#newest = current;
    return current;
  }
}
