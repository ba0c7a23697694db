import type { Queue } from '../../messaging/messages.ts';
import type { DatabaseName } from '../../platform/config.ts';

/** What happened to an order: the six steps, and what is not on every order's way. */
export type StepName =
  | 'created'
  | 'published'
  | 'received'
  | 'decided'
  | 'settled'
  /** The sweep requested the payment again. */
  | 'requested-again'
  /** The same message in another job. */
  | 'published-again'
  /** A delivery of what was there already: suppressed. */
  | 'duplicate'
  | 'dead-letter'
  | 'redriven'
  | 'discarded';

/** One thing that happened, as `tillbox trace` prints it. */
export interface TraceStep {
  step: StepName;
  /** 1 to 6 for the six steps, null for anything else. */
  number: number | null;
  service: 'orders' | 'payments' | 'broker' | 'operator';
  /** By the clock of the database it is recorded in; null when it is known that, but not when. */
  at: string | null;
  /** Milliseconds since the last of the six steps before whose time is known. */
  ms: number | null;
  /** For people. */
  detail: string;
  /** Of what went through a queue. */
  queue?: Queue;
  job_id?: string;
  /** Messages in the job. */
  batch?: number;
  /** Tries of the job that failed. */
  retries?: number;
  dead_letter_id?: string;
}

/** Where messages wait; `nowhere` when nothing is on its way, `unknown` when a database that may know is away. */
export type Place =
  | 'orders-outbox'
  | 'payment-requests'
  | 'payments-inbox'
  | 'payments-outbox'
  | 'payment-results'
  | 'dead-letters'
  | 'nowhere'
  | 'unknown';

/** Why an order stands still, or may. */
export interface Reason {
  reason:
    | 'database-away'
    | 'daemon-down'
    | 'daemon-silent'
    | 'daemon-not-ready'
    | 'row-held'
    | 'account-held'
    | 'lock-wait'
    | 'backlog'
    | 'in-hands'
    | 'retrying'
    | 'refused'
    | 'discarded'
    | 'lost';
  /** A sentence without its end. */
  detail: string;
  /** Since when, by the clock of the database that says so. */
  since: string | null;
}

/** Where an order stands that is not final. */
export interface Standing {
  /** The step that comes next, and its number. */
  next_step: Exclude<StepName, 'created'>;
  number: number;
  service: 'orders' | 'payments';
  place: Place;
  /** How it waits there, for people. */
  detail: string;
  since: string | null;
  waiting_s: number | null;
  reasons: Reason[];
  /** Commands, the most helpful first. */
  commands: string[];
}

/** All of an order's way that is known: what `tillbox trace --json` prints. */
export interface TraceDocument {
  /** When it was read, by this machine's clock. */
  at: string;
  /** As HTTP has it; null when the orders database has none, or is away. */
  order: {
    id: string;
    user_id: string;
    amount: string;
    status: string;
    reason: string | null;
    created_at: string;
    settled_at: string | null;
  } | null;
  order_id: string;
  final: boolean;
  /** From created to settled. */
  total_ms: number | null;
  /** In the order in which it happened. */
  steps: TraceStep[];
  /** Deliveries that were suppressed because their message was known; null when nobody says. */
  duplicates: number | null;
  standing: Standing | null;
  /** What to know when reading it, such as clocks that differ. */
  notes: string[];
  away: { database: DatabaseName; message: string }[];
}
