import type { QueueView } from '../platform/board-report.ts';
import { deadLetterQueues } from './dead-letters.ts';
import { depthOf, type StoredDepth } from './depth-store.ts';
import { type QueueDepth, rateSeconds } from './queue-depth-store.ts';

/** In the order a message takes. */
export const places: readonly { name: string; kind: QueueView['kind'] }[] = [
  { name: 'orders-outbox', kind: 'outbox' },
  { name: 'payment-requests', kind: 'queue' },
  { name: 'payments-inbox', kind: 'inbox' },
  { name: 'payments-outbox', kind: 'outbox' },
  { name: 'payment-results', kind: 'queue' },
  ...deadLetterQueues.map(({ name }) => ({ name, kind: 'dead-letters' as const })),
];

/**
 * The places that were measured, in the order a message takes; what was not measured is missing.
 * @param stored rows of `depthStatement` @param kept rows of `queueDepthStatement`
 * @param countedMax the limit of these statements
 */
export function queueViews(
  stored: readonly StoredDepth[],
  kept: readonly QueueDepth[],
  countedMax: number,
): QueueView[] {
  const storedByName = new Map(stored.map((row) => [row.name, row]));
  const keptByName = new Map(kept.map((row) => [row.name, row]));
  return places.flatMap(({ name, kind }) => {
    const storedRow = storedByName.get(name);
    if (storedRow !== undefined) return [storedView(storedRow, kind, countedMax)];
    const row = keptByName.get(name);
    return row === undefined ? [] : [queueView(row, kind, countedMax)];
  });
}

function storedView(row: StoredDepth, kind: QueueView['kind'], countedMax: number): QueueView {
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

function queueView(row: QueueDepth, kind: QueueView['kind'], countedMax: number): QueueView {
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
