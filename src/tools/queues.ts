import type { StoredDepth } from '../messaging/depth-store.ts';
import type { QueueDepth } from '../messaging/queue-depth-store.ts';
import { places, queueViews as viewsOf } from '../messaging/queue-views.ts';
import type { QueueView } from '../platform/board-report.ts';
import { Database } from '../platform/database.ts';
import type { Logger } from '../platform/logging.ts';
import type { DatabaseUrls } from '../system/migrate.ts';
import { brokerStatement, countedMax, ordersStatement, paymentsStatement } from './queue-statements.ts';

export type { QueueView } from '../platform/board-report.ts';

/** All places messages wait, in the order a message takes, at a moment of the broker's clock. */
export interface QueuesDocument {
  at: string;
  queues: QueueView[];
  /** Dead letters nobody has dealt with. */
  dead_letters: number;
}

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
  return viewsOf(stored, kept, countedMax);
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
