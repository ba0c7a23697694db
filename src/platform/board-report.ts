/**
 * What the services tell the gateway's board of themselves, over HTTP and to nobody else: the shapes of their answers
 * to `GET /board` and `GET /board/rates`. What is not known is null or missing, never guessed.
 */

/** How long a service asks its database before it says that this hangs. The gateway must have more patience than that. */
export const reportMsMax = 1_200;

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

/** A step of an order, by the number and name that `tillbox top` gives it. */
export type StepName = 'created' | 'published' | 'received' | 'decided' | 'settled';

/** How often one process took a step, over the last five seconds. */
export interface StepRate {
  number: number;
  step: StepName;
  per_s: number;
}

/** What each process tells by itself (`GET /board/rates`). */
export interface RatesReport {
  pid: number;
  steps: StepRate[];
}

/** What any instance of a service tells for all of them (`GET /board`). */
export interface ServiceReport {
  /** Its own outbox and inbox, and all queues of the broker; those are missing while that does not answer. */
  queues: QueueView[];
  /** Whether the broker answered. */
  broker: boolean;
}

/** An order as the board has it: nothing of its free text. */
export interface ReportedOrder {
  id: string;
  user_id: string;
  amount: string;
  status: string;
  reason: string | null;
  created_at: string;
  settled_at: string | null;
  /** Whether its payment request has left the outbox. */
  published: boolean;
}

/** How long the orders settled lately took, from created to settled, in milliseconds. */
export interface SettleTimes {
  p50: number | null;
  p95: number | null;
  /** Orders it was measured on. */
  orders: number;
}

/** What the orders service tells. */
export interface OrdersReport extends ServiceReport {
  /** The newest, and those that were asked for, newest first. */
  orders: ReportedOrder[];
  settle_ms: SettleTimes;
}

/** How far the payment of an order has come. */
export interface ReportedPayment {
  order_id: string;
  received_at: string | null;
  decided_at: string | null;
  /** Whether the decision has left for the orders service. */
  published: boolean;
}

/** What the payments service tells: of the orders that were asked for. */
export interface PaymentsReport extends ServiceReport {
  payments: ReportedPayment[];
}
