import type { Attributes, Counter, Histogram, Meter } from '@opentelemetry/api';
import type { Delivery } from './broker/broker.ts';
import { type DeadLetter, deadLetterReasons } from './dead-letters.ts';
import { declineReasons, type Queue } from './messages.ts';
import type { OutboxRow } from './outbox.ts';

/**
 * What the services count and time while they work. Steps have the names and numbers of `tillbox top`, places those
 * of `tillbox queues`. Everything is told a batch at a time, after its commit.
 */
export interface Instruments {
  /** Whether anybody wants to know: what costs something to find out is asked only then. */
  readonly on: boolean;
  /** Step 1: so many new orders were committed, in so many seconds. */
  created(orders: number, seconds: number): void;
  /** Steps 2 and 5: rows of the outbox were published. @param begunAt as in `Stored` */
  published(rows: readonly OutboxRow[], begunAt: number): void;
  /** Step 3: deliveries are in the inbox, the first of each message; or were there already. */
  received(outcome: Stored & { firsts: readonly Delivery[] }): void;
  /** Step 4: so many requests were answered; those decided, so many seconds after each was received, if measured. */
  decided(requests: number, waitedSeconds: readonly number[]): void;
  /** Step 6: of the orders these deliveries are about, those of `settled` became final. */
  settled(deliveries: readonly Delivery[], outcome: Stored & { settled: ReadonlySet<string> }): void;
  /** Overdue orders were requested again. */
  swept(orders: number): void;
  /** A pass, or the handling of a batch, failed and will be repeated. */
  retried(what: string): void;
}

/** What became of deliveries that changed nothing. */
export interface Refused {
  duplicates: number;
  deadLetters: readonly DeadLetter[];
}

/** What became of deliveries, and when. */
export interface Stored extends Refused {
  /**
   * Unix time in milliseconds at which the statement that did it was sent. One step ends and the next one begins at that
   * moment, which is also the one that the databases write down; the commit belongs to the next step.
   */
  begunAt: number;
}

/** Measures nothing, at no cost. */
export const noInstruments: Instruments = {
  on: false,
  created() {},
  published() {},
  received() {},
  decided() {},
  settled() {},
  swept() {},
  retried() {},
};

/** Seconds: a step takes milliseconds, and minutes when something behind is away. */
const boundaries = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300];

/** As `tillbox top` names and numbers the steps; `order` is the whole way. */
const steps = {
  created: { step: 'created', number: 1 },
  requestPublished: { step: 'published', number: 2 },
  received: { step: 'received', number: 3 },
  decided: { step: 'decided', number: 4 },
  resultPublished: { step: 'published', number: 5 },
  settled: { step: 'settled', number: 6 },
  order: { step: 'order' },
} as const satisfies Record<string, Attributes>;

const finished = { status: 'FINISHED' };

/** The instruments of one service on an OpenTelemetry meter. */
export class MeteredInstruments implements Instruments {
  readonly on = true;
  readonly #seconds: Histogram;
  readonly #accepted: Counter;
  readonly #settled: Counter;
  readonly #swept: Counter;
  readonly #duplicates: Counter;
  readonly #deadLetters: Counter;
  readonly #retries: Counter;

  constructor(meter: Meter) {
    const counter = (name: string, description: string) => meter.createCounter(name, { description });
    this.#seconds = meter.createHistogram('tillbox.step.duration', {
      unit: 's',
      description: 'Time an order took from the step before to this one; step="order" is the whole way.',
      advice: { explicitBucketBoundaries: boundaries },
    });
    this.#accepted = counter('tillbox.orders.accepted', 'Orders created.');
    this.#settled = counter('tillbox.orders.settled', 'Orders that became final, by status and reason.');
    this.#swept = counter('tillbox.orders.swept', 'Overdue orders whose payment was requested again.');
    this.#duplicates = counter('tillbox.messages.duplicates', 'Deliveries suppressed as known, by queue.');
    this.#deadLetters = counter('tillbox.messages.dead_letters', 'Messages refused, by queue and reason.');
    this.#retries = counter('tillbox.retries', 'Passes and batches that failed and are repeated, by which.');
  }

  /**
   * Begins the series of this service at zero. Prometheus sees no increase in a series that appears with its first
   * event: an alert would miss the very one it is for.
   */
  startAtZero(service: 'orders' | 'payments'): void {
    const queue: Queue = service === 'orders' ? 'payment-results' : 'payment-requests';
    this.#duplicates.add(0, { queue });
    for (const reason of deadLetterReasons) this.#deadLetters.add(0, { queue, reason });
    const loop = service === 'orders' ? 'sweep' : 'process-requests';
    for (const what of ['outbox-relay', loop, queue]) this.#retries.add(0, { what });
    if (service === 'payments') return;
    this.#accepted.add(0);
    this.#swept.add(0);
    this.#settled.add(0, finished);
    for (const reason of declineReasons) this.#settled.add(0, { status: 'CANCELED', reason });
  }

  created(orders: number, seconds: number): void {
    if (orders === 0) return;
    this.#accepted.add(orders);
    for (let order = 0; order < orders; order += 1) this.#seconds.record(seconds, steps.created);
  }

  published(rows: readonly OutboxRow[], begunAt: number): void {
    for (const { queue, messages, dead_letter, created_at } of rows) {
      if (dead_letter !== null) continue;
      const step = queue === 'payment-requests' ? steps.requestPublished : steps.resultPublished;
      const seconds = secondsFrom(created_at.getTime(), begunAt);
      for (let message = 0; message < messages.length; message += 1) this.#seconds.record(seconds, step);
    }
  }

  received(outcome: Stored & { firsts: readonly Delivery[] }): void {
    this.#refused('payment-requests', outcome);
    this.#delivered(outcome.firsts, steps.received, outcome.begunAt);
  }

  decided(_requests: number, waitedSeconds: readonly number[]): void {
    for (const seconds of waitedSeconds) this.#seconds.record(Math.max(0, seconds), steps.decided);
  }

  settled(deliveries: readonly Delivery[], outcome: Stored & { settled: ReadonlySet<string> }): void {
    this.#refused('payment-results', outcome);
    const firsts = firstDeliveries(deliveries, outcome.settled);
    this.#delivered(firsts.values(), steps.settled, outcome.begunAt);
    const now = Date.now();
    const byOutcome = new Map<string, number>();
    for (const [orderId, { message }] of firsts) {
      this.#seconds.record(secondsFrom(createdAtOf(orderId), now), steps.order);
      const { type, data } = message as { type?: unknown; data?: { reason?: string } };
      const reason = type === 'payment.failed.v1' ? (data?.reason ?? '') : '';
      byOutcome.set(reason, (byOutcome.get(reason) ?? 0) + 1);
    }
    for (const [reason, orders] of byOutcome) {
      this.#settled.add(orders, reason === '' ? finished : { status: 'CANCELED', reason });
    }
  }

  swept(orders: number): void {
    if (orders > 0) this.#swept.add(orders);
  }

  retried(what: string): void {
    this.#retries.add(1, { what });
  }

  #refused(queue: Queue, { duplicates, deadLetters }: Refused): void {
    if (duplicates > 0) this.#duplicates.add(duplicates, { queue });
    for (const { reason } of deadLetters) this.#deadLetters.add(1, { queue, reason });
  }

  #delivered(deliveries: Iterable<Delivery>, step: Attributes, begunAt: number): void {
    for (const { publishedAt } of deliveries) {
      if (publishedAt !== undefined) this.#seconds.record(secondsFrom(publishedAt.getTime(), begunAt), step);
    }
  }
}

/** The delivery that settled each order: several may be about the same one. */
function firstDeliveries(deliveries: readonly Delivery[], settled: ReadonlySet<string>) {
  const firsts = new Map<string, Delivery>();
  for (const delivery of deliveries) {
    const { subject } = (delivery.message ?? {}) as { subject?: unknown };
    const orderId = typeof subject === 'string' ? subject.toLowerCase() : '';
    if (settled.has(orderId) && !firsts.has(orderId)) firsts.set(orderId, delivery);
  }
  return firsts;
}

/** When an order was created, in Unix milliseconds: its id is a UUID of version 7, which begins with that. */
function createdAtOf(orderId: string): number {
  return Number.parseInt(orderId.slice(0, 8) + orderId.slice(9, 13), 16);
}

/** The clocks of two machines may differ: a time is never negative. */
function secondsFrom(fromMs: number, toMs: number): number {
  return Math.max(0, toMs - fromMs) / 1_000;
}
