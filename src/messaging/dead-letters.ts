import { traceFields } from '../platform/telemetry/trace-context.ts';
import { type Queue, queues } from './messages.ts';

/** Why a message can never be processed. */
export const deadLetterReasons = [
  /** No message this queue carries: another type, a later version, or nothing recognisable. */
  'unknown-type',
  /** The right type, but a field is missing, of the wrong shape or out of range. */
  'invalid-message',
  /** A request that says something else about an order than the request or decision already recorded. */
  'contradicts-decision',
  /** A payment result about an order of another user or amount, or that is final with another status. */
  'contradicts-order',
  /** A payment result for an order that does not exist. */
  'unknown-order',
] as const;
export type DeadLetterReason = (typeof deadLetterReasons)[number];

/**
 * A message that can never be processed, with why and where from. It travels through the outbox of the
 * service that refused it, in the transaction that kept the rest of its batch.
 */
export interface DeadLetter {
  reason: DeadLetterReason;
  /** What exactly is wrong, for an operator. */
  detail: string;
  /** The queue it came from, where redriving brings it back to. */
  queue: Queue;
  /** The pg-boss job it came in. */
  jobId: string;
  /** The message as it came, or the whole data of a job that was no batch; see cutDeep. */
  message: unknown;
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * What a log says of messages refused together: how many, and of the first one why and which it was. An id only if it
 * is one, and nothing else of the message.
 */
export function refusalFields(deadLetters: readonly DeadLetter[]): Record<string, unknown> {
  const [first] = deadLetters;
  const { id, subject, traceparent } = (first?.message ?? {}) as Record<
    'id' | 'subject' | 'traceparent',
    unknown
  >;
  const isUuid = (value: unknown) => typeof value === 'string' && uuid.test(value);
  return {
    dead_letters: deadLetters.length,
    queue: first?.queue,
    reason: first?.reason,
    job_id: first?.jobId,
    ...(isUuid(id) ? { message_id: id } : {}),
    ...(isUuid(subject) ? { order_id: subject } : {}),
    ...traceFields(traceparent),
  };
}

/** The queue that keeps the dead letters of a queue. */
export function deadLetterQueueOf(queue: Queue): `${Queue}-dead-letters` {
  return `${queue}-dead-letters`;
}

/** The queues that may have dead letters, each with the queue that keeps them. */
export const deadLetterQueues: readonly { queue: Queue; name: string }[] = queues.map((queue) => ({
  queue,
  name: deadLetterQueueOf(queue),
}));

/** A message of ours has three levels. Postgres keeps thousands, which no recursion over them survives. */
const depthMax = 100;

/** A message as a dead letter keeps it: what is nested deeper than 100 levels is cut off. Pure. */
export function cutDeep(message: unknown, depth = depthMax): unknown {
  if (typeof message !== 'object' || message === null) return message;
  if (depth === 0) return '…';
  if (Array.isArray(message)) return message.map((item) => cutDeep(item, depth - 1));
  return Object.fromEntries(Object.entries(message).map(([key, value]) => [key, cutDeep(value, depth - 1)]));
}
