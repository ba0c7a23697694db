import type { Queue } from '../../messaging/messages.ts';
import type { DatabaseName } from '../../platform/config.ts';
import type { InstancesHealth } from '../../system/instances-health.ts';
import type { Clock, Moment } from '../common-clock.ts';
import type { QueueView } from '../queues.ts';

/**
 * What the databases know about one order, as it was read. A trace is made of nothing else: nothing is
 * recorded for it while orders are on their way.
 */

/** Jobs looked through in one window of a queue. Each carries up to 100 messages, a third of a millisecond to open. */
export const lookedMax = 1_000;
/** Enough in most cases: an order's job is among the next. */
export const lookedFirst = 200;

/** A database session that holds a row. */
export interface Holder {
  pid: number;
  /** What it calls itself, such as `tillbox payments`. */
  name: string;
  user: string | null;
}

/** The order as the orders database has it. */
export interface OrderFacts {
  userId: string;
  amount: bigint;
  status: 'NEW' | 'FINISHED' | 'CANCELED';
  reason: string | null;
  createdAt: Moment;
  settledAt: Moment | null;
  /** When its payment was last requested, and how often it was; of one that is final, the first time. */
  requestedAt: Moment;
  requestCount: number;
}

/** A row of an outbox with a message about the order: it waits to be published. */
export interface OutboxFacts {
  createdAt: Moment;
  /** Messages that were written before it and wait too. */
  ahead: number;
  holder: Holder | null;
}

/** The request as the inbox of payments has it. */
export interface InboxFacts {
  /** The job of the first delivery. */
  jobId: string;
  deliveries: number;
  receivedAt: Moment;
  processedAt: Moment | null;
  /** Requests that were received before it and wait too. */
  ahead: number;
  holder: Holder | null;
}

/** The verdict, with the ledger entry of a payment. */
export interface DecisionFacts {
  outcome: 'paid' | 'failed';
  reason: string | null;
  decidedAt: Moment;
  entry: { seq: bigint; balance: bigint } | null;
}

/** A job that carries a message about the order. */
export interface JobFacts {
  id: string;
  queue: Queue;
  /** pg-boss's word: `created`, `retry`, `active`, `completed`, `failed`, `cancelled`. */
  state: string;
  /** Messages in it, and how many of them are about the order. */
  batch: number;
  copies: number;
  retries: number;
  createdAt: Moment;
  startAfter: Moment;
  startedAt: Moment | null;
  completedAt: Moment | null;
  /** How its last failed try ended. */
  error: string | null;
}

/** A dead letter about the order. A job that is put back by redriving has the letter's id. */
export interface LetterFacts {
  id: string;
  /** The queue it came from, and is redriven to. */
  queue: Queue;
  reason: string;
  detail: string;
  /** The job it came in. */
  jobId: string | null;
  at: Moment;
  handling: { action: 'redriven' | 'discarded'; who: string; why: string; at: Moment } | null;
}

/** A daemon as pg-boss's registry of instances knows it. */
export interface InstanceFacts {
  service: 'orders' | 'payments';
  pid: number;
  host: string;
  startedAt: Moment;
  heardAt: Moment;
  /** Whether it has missed three of its heartbeats. */
  silent: boolean;
  /** When it stopped in order; null when it runs, or was killed. */
  stoppedAt: Moment | null;
}

/** A session of a daemon that waits for a lock. */
export interface LockWait {
  waiter: Holder;
  holder: Holder;
}

/** What the orders database said. */
export interface OrdersSide {
  order: OrderFacts | null;
  outbox: OutboxFacts | null;
  waits: LockWait[];
}

/** What the payments database said. */
export interface PaymentsSide {
  inbox: InboxFacts | null;
  decision: DecisionFacts | null;
  /** Who holds the account of the order. */
  accountHolder: Holder | null;
  outbox: OutboxFacts | null;
  waits: LockWait[];
}

/** What the broker said. */
export interface BrokerSide {
  /** By creation. */
  requests: JobFacts[];
  results: JobFacts[];
  letters: LetterFacts[];
  /** Whether there may be more jobs about the order: not all that could be were looked through. */
  more: boolean;
  instances: InstanceFacts[];
  /** Sessions that daemons of a service have open to the broker. */
  sessions: { orders: number; payments: number };
}

/** A database that could not be read, and why. */
export interface AwayFacts {
  database: DatabaseName;
  message: string;
}

/** All there is to know; a side that could not be read is undefined and named in `away`. */
export interface Facts {
  orderId: string;
  orders: OrdersSide | undefined;
  payments: PaymentsSide | undefined;
  broker: BrokerSide | undefined;
  clocks: Partial<Record<DatabaseName, Clock>>;
  away: AwayFacts[];
  /** How the places stand where messages wait; of an order that is final none is read. */
  queues: QueueView[];
  /** What the daemons said when they were asked, of an order that is not final; undefined when nobody asked. */
  health?: Pick<InstancesHealth, 'orders' | 'payments'> | undefined;
}
