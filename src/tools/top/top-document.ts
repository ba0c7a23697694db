import type { DatabaseName } from '../../platform/config.ts';
import type { QueueView } from '../queues.ts';

/** How long one step took the orders that were settled lately. Milliseconds. */
export interface StepLatency {
  /** As `tillbox trace` names it; `order` is the whole way from created to settled. */
  step: 'published' | 'received' | 'decided' | 'settled' | 'order';
  /** 2 to 6, null for the whole way. */
  number: number | null;
  p50: number | null;
  p95: number | null;
  p99: number | null;
  /** Orders it was measured on. */
  orders: number;
}

/** A daemon as its HTTP says. */
export interface InstanceHealth {
  pid: number | null;
  ready: boolean;
}

/** What runs, and whether it is ready. */
export interface Health {
  gateway: { url: string; ready: boolean };
  orders: InstanceHealth[];
  payments: InstanceHealth[];
}

/** Something an operator wants to know of. */
export interface TopEvent {
  at: string;
  event:
    | 'dead-letter'
    | 'redriven'
    | 'discarded'
    | 'retry'
    | 'sweep'
    | 'daemon-started'
    | 'daemon-stopped'
    | 'daemon-away'
    | 'daemon-back'
    | 'database-away'
    | 'database-back';
  /** For people. */
  detail: string;
}

/** One measurement of `tillbox top`: a line of its JSON. What is not known is null, never guessed. */
export interface TopDocument {
  at: string;
  /** Orders a second that took a step, over the last five seconds. */
  rates: {
    created_per_s: number | null;
    received_per_s: number | null;
    decided_per_s: number | null;
    settled_per_s: number | null;
  };
  /** In the order of the steps; over a sample of the orders settled in the last ten seconds. */
  latencies_ms: StepLatency[];
  /** As `tillbox queues` has them. */
  queues: QueueView[];
  /** Dead letters nobody has dealt with; null while the broker is away. */
  dead_letters: number | null;
  /** Null until it was asked. */
  health: Health | null;
  /** What happened since the line before; in the first line, in the last minute. */
  events: TopEvent[];
  notes: string[];
  away: { database: DatabaseName; message: string }[];
}
