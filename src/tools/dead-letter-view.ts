import type { DeadLetterRow, Handling } from '../messaging/dead-letter-store.ts';
import { deadLetterQueues } from '../messaging/dead-letters.ts';
import { isUuid } from '../platform/field-schemas.ts';

/** A dead letter as the command line shows it, in a list. */
export interface DeadLetterView {
  id: string;
  /** `other` when somebody dealt with the job by means that are not ours. */
  state: 'waiting' | 'redriven' | 'discarded' | 'other';
  /** The queue it came from, where redriving brings it back to. */
  queue: string;
  reason: string;
  detail: string;
  order_id: string | null;
  /** When it came, and how many seconds ago. */
  at: string;
  age_s: number;
  /** Almost always 1; a job that pg-boss gave up carries a whole batch. */
  messages: number;
  /** The dead letter whose redriving led to this one. */
  redriven_from: string | null;
  redriven: { who: string; at: string } | null;
  discarded: { who: string; why: string; at: string } | null;
}

/** Everything there is to know about a dead letter. */
export interface DeadLetterDetails extends Omit<DeadLetterView, 'messages'> {
  /** The pg-boss job the message came in. */
  job_id: string | null;
  /** For a job that pg-boss itself gave up: how often it was tried, and how it ended. */
  gave_up: { retries: number; output: unknown } | null;
  messages: unknown[];
}

/** A dead letter's job as it is listed. Pure; whatever the job carries, it never throws. */
export function toView(row: DeadLetterRow): DeadLetterView {
  const letter = recordIn(row.data, 'dead_letter');
  const messages = messagesIn(row.data);
  const handling = handlingOf(row);
  const at = (row.completed_on ?? row.created_on).toISOString();
  return {
    id: row.id,
    state: handling?.action ?? (['created', 'retry'].includes(row.state) ? 'waiting' : 'other'),
    queue: sourceOf(row.name),
    reason: row.reason,
    detail: textIn(letter, 'detail') ?? (row.source_id === null ? '' : gaveUpDetail(row)),
    order_id: messages.length === 1 ? orderIdIn(messages[0]) : null,
    at: row.created_on.toISOString(),
    age_s: Math.round(row.age_s * 10) / 10,
    messages: messages.length,
    redriven_from: row.redriven_from,
    redriven: handling?.action === 'redriven' ? { who: handling.who, at } : null,
    discarded: handling?.action === 'discarded' ? { who: handling.who, why: handling.why, at } : null,
  };
}

/** A dead letter's job with everything it carries. Pure. */
export function toDetails(row: DeadLetterRow): DeadLetterDetails {
  const { source_id, source_retry_count, source_output } = row;
  return {
    ...toView(row),
    job_id: source_id ?? textIn(recordIn(row.data, 'dead_letter'), 'job_id') ?? null,
    gave_up: source_id === null ? null : { retries: source_retry_count ?? 0, output: source_output },
    messages: messagesIn(row.data),
  };
}

/** What was done about it; undefined while it waits. */
export function handlingOf({ state, output }: DeadLetterRow): Handling | undefined {
  if (state !== 'completed') return undefined;
  const action = textIn(output, 'action');
  const who = textIn(output, 'who') ?? 'unknown';
  if (action === 'redriven') return { action, who };
  if (action === 'discarded') return { action, who, why: textIn(output, 'why') ?? '' };
  return undefined;
}

/** The queue whose dead letters a dead-letter queue keeps. */
export function sourceOf(name: string): string {
  return deadLetterQueues.find((queue) => queue.name === name)?.queue ?? name;
}

function gaveUpDetail({ source_retry_count, source_output }: DeadLetterRow): string {
  const message = textIn(source_output, 'message');
  return `the broker gave the job up after ${source_retry_count ?? 0} retries${message ? `: ${message}` : ''}`;
}

/** What the job carries, read as a receiver reads it: data that is no batch are one message. */
function messagesIn(data: unknown): unknown[] {
  const messages = fieldIn(data, 'messages');
  return Array.isArray(messages) ? messages : [data];
}

/** The order a message is about, as far as it says so. */
function orderIdIn(message: unknown): string | null {
  const said = [textIn(message, 'subject'), textIn(recordIn(message, 'data'), 'order_id')];
  return said.find((text) => text !== undefined && isUuid(text))?.toLowerCase() ?? null;
}

function fieldIn(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

function recordIn(value: unknown, name: string): object | undefined {
  const field = fieldIn(value, name);
  return typeof field === 'object' && field !== null ? field : undefined;
}

function textIn(value: unknown, name: string): string | undefined {
  const field = fieldIn(value, name);
  return typeof field === 'string' ? field : undefined;
}
