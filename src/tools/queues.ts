import { deadLetterQueues } from '../messaging/dead-letters.ts';
import { depthOf, type StoredDepth } from '../messaging/depth-store.ts';
import { Database } from '../platform/database.ts';
import type { Logger } from '../platform/logging.ts';
import type { DatabaseUrls } from '../system/migrate.ts';
import {
  brokerStatement,
  countedMax,
  ordersStatement,
  paymentsStatement,
  type QueueDepth,
  rateSeconds,
} from './queue-statements.ts';

/** Where messages wait, and how it stands there. What is not known is null, never guessed. */
export interface QueueView {
  name: string;
  kind: 'outbox' | 'queue' | 'inbox' | 'dead-letters';
  /** Messages that wait. */
  depth: number;
  /** Whether the depth is an estimate: a queue so long is not counted to its end. */
  estimated: boolean;
  /** Age in seconds of the oldest message that waits or is in flight. */
  oldest_s: number | null;
  /** Messages in the hands of a receiver; of a queue only. */
  in_flight: number | null;
  /** Jobs (of up to 100 messages) that failed before and wait for another attempt, or are in it. */
  retrying_jobs: number | null;
  /** Messages a second that came and that were completed, over the last five seconds; of a queue only. */
  in_per_s: number | null;
  out_per_s: number | null;
}

/** All places messages wait, in the order a message takes, at a moment of the broker's clock. */
export interface QueuesDocument {
  at: string;
  queues: QueueView[];
  /** Dead letters nobody has dealt with. */
  dead_letters: number;
}

/** In the order a message takes. */
const places: readonly { name: string; kind: QueueView['kind'] }[] = [
  { name: 'orders-outbox', kind: 'outbox' },
  { name: 'payment-requests', kind: 'queue' },
  { name: 'payments-inbox', kind: 'inbox' },
  { name: 'payments-outbox', kind: 'outbox' },
  { name: 'payment-results', kind: 'queue' },
  ...deadLetterQueues.map(({ name }) => ({ name, kind: 'dead-letters' as const })),
];

/** What measures the places in each database: for `queueViews`. */
export const queueStatements = {
  orders: ordersStatement,
  payments: paymentsStatement,
  broker: brokerStatement(
    places.filter(({ kind }) => kind === 'queue' || kind === 'dead-letters').map(({ name }) => name),
  ),
};

/**
 * The places that were measured, in the order a message takes; what was not measured is missing.
 * @param stored rows of the orders' and the payments' statement @param kept rows of the broker's
 */
export function queueViews(stored: readonly StoredDepth[], kept: readonly QueueDepth[]): QueueView[] {
  const storedByName = new Map(stored.map((row) => [row.name, row]));
  const keptByName = new Map(kept.map((row) => [row.name, row]));
  return places.flatMap(({ name, kind }) => {
    const storedRow = storedByName.get(name);
    if (storedRow !== undefined) return [storedView(storedRow, kind)];
    const row = keptByName.get(name);
    return row === undefined ? [] : [queueView(row, kind)];
  });
}

/** Dead letters nobody has dealt with, of all places together. */
export function waitingDeadLetters(queues: readonly QueueView[]): number {
  const letters = queues.filter(({ kind }) => kind === 'dead-letters');
  return letters.reduce((sum, { depth }) => sum + depth, 0);
}

/** Measures queues, read-only: one short statement in each database, bounded however long a queue is. */
export class Queues {
  readonly #orders: Database;
  readonly #payments: Database;
  readonly #broker: Database;

  /** @param options.urls of the auditor's role in each database */
  constructor(options: { urls: DatabaseUrls; log: Logger }) {
    const { urls, log } = options;
    const open = (url: string) => new Database({ url, name: 'tillbox queues', connectionsMax: 1, log });
    this.#orders = open(urls.orders);
    this.#payments = open(urls.payments);
    this.#broker = open(urls.broker);
  }

  /** One measurement. */
  async measure(): Promise<QueuesDocument> {
    const [orders, payments, broker] = await Promise.all([
      this.#orders.query<StoredDepth>(queueStatements.orders),
      this.#payments.query<StoredDepth>(queueStatements.payments),
      this.#broker.query<QueueDepth>(queueStatements.broker),
    ]);
    const queues = queueViews([...orders, ...payments], broker);
    return {
      at: broker[0]?.at.toISOString() ?? '',
      queues,
      dead_letters: waitingDeadLetters(queues),
    };
  }

  async close(): Promise<void> {
    await Promise.all([this.#orders, this.#payments, this.#broker].map((database) => database.close()));
  }
}

function storedView(row: StoredDepth, kind: QueueView['kind']): QueueView {
  const { name, oldest_s } = row;
  return {
    name,
    kind,
    depth: depthOf(row, countedMax),
    estimated: Number(row.rows) > countedMax,
    oldest_s: tenths(oldest_s),
    in_flight: null,
    retrying_jobs: null,
    in_per_s: null,
    out_per_s: null,
  };
}

function queueView(row: QueueDepth, kind: QueueView['kind']): QueueView {
  const isDeadLetters = kind === 'dead-letters';
  const counted = Number(row.waiting_jobs);
  const jobs = counted > countedMax ? Math.max(counted, Number(row.cached_jobs)) : counted;
  const sampled = Number(row.sampled_jobs);
  const messages = Number(row.sampled_messages);
  const estimated = jobs > sampled;
  return {
    name: row.name,
    kind,
    depth: estimated && sampled > 0 ? Math.round((messages / sampled) * jobs) : messages,
    estimated,
    oldest_s: tenths(row.oldest_s),
    in_flight: isDeadLetters ? null : Number(row.active_messages),
    retrying_jobs: isDeadLetters ? null : Number(row.retrying_jobs),
    in_per_s: isDeadLetters ? null : Number(row.messages_in) / rateSeconds,
    out_per_s: isDeadLetters ? null : Number(row.messages_out) / rateSeconds,
  };
}

function tenths(seconds: number | null): number | null {
  return seconds === null ? null : Math.max(0, Math.round(seconds * 10) / 10);
}
