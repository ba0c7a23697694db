import { messageId } from '../../messaging/messages.ts';
import type { Queryable } from '../../platform/database.ts';
import { isUuid } from '../../platform/field-schemas.ts';
import type { OrderMoments } from './step-latencies.ts';
import {
  decidedStatement,
  deliveredStatement,
  publishedStatement,
  settledStatement,
} from './top-statements.ts';

/** The orders sampled in one round, by id, with the moments found so far. */
export type Sample = Map<string, Partial<OrderMoments>>;

/** Chooses orders whose results were delivered since a moment of the broker's clock; answers the last delivery's. */
export async function chooseDelivered(
  broker: Queryable,
  since: number,
): Promise<{ sample: Sample; until: number }> {
  const rows = await broker.query<{ first: string; last: string; published_at: number; done_at: number }>(
    deliveredStatement,
    [since],
  );
  const sample: Sample = new Map();
  for (const { first, last, published_at } of rows) {
    for (const id of [first, last])
      if (isUuid(id)) sample.set(id.toLowerCase(), { resultPublishedAt: published_at });
  }
  return { sample, until: rows.reduce((latest, { done_at }) => Math.max(latest, done_at), since) };
}

/** Adds when they were received and decided; answers the jobs their requests came in. */
export async function addDecided(payments: Queryable, sample: Sample): Promise<Map<string, string[]>> {
  const jobs = new Map<string, string[]>();
  if (sample.size === 0) return jobs;
  const ids = [...sample.keys()].map((id) => messageId(id, 'payment.requested.v1'));
  const rows = await payments.query<{
    order_id: string;
    job_id: string;
    received_at: number;
    decided_at: number | null;
  }>(decidedStatement, [ids]);
  for (const { order_id, job_id, received_at, decided_at } of rows) {
    const decided = decided_at === null ? {} : { decidedAt: decided_at };
    Object.assign(sample.get(order_id) ?? {}, { receivedAt: received_at, ...decided });
    if (isUuid(job_id)) jobs.set(job_id, [...(jobs.get(job_id) ?? []), order_id]);
  }
  return jobs;
}

/** Adds when their requests were published. */
export async function addPublished(
  broker: Queryable,
  sample: Sample,
  jobs: ReadonlyMap<string, string[]>,
): Promise<void> {
  if (jobs.size === 0) return;
  const rows = await broker.query<{ id: string; published_at: number }>(publishedStatement, [
    [...jobs.keys()],
  ]);
  for (const { id, published_at } of rows) {
    for (const order of jobs.get(id) ?? [])
      Object.assign(sample.get(order) ?? {}, { requestPublishedAt: published_at });
  }
}

/** Adds when they were created and settled. */
export async function addSettled(orders: Queryable, sample: Sample): Promise<void> {
  if (sample.size === 0) return;
  const rows = await orders.query<{ id: string; created_at: number; settled_at: number }>(settledStatement, [
    [...sample.keys()],
  ]);
  for (const { id, created_at, settled_at } of rows) {
    Object.assign(sample.get(id) ?? {}, { createdAt: created_at, settledAt: settled_at });
  }
}
