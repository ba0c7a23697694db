import type { PaymentRequested } from '../messaging/messages.ts';
import type { Queryable, Statement, Transaction } from '../platform/database.ts';
import type { PaymentRequest } from './decisions.ts';

/** The transactional inbox: the table payments.inbox and all SQL on it. */

/** A request in the inbox that waits to be decided. */
export interface InboxRequest extends PaymentRequest {
  messageId: string;
  jobId: string;
  /** How long it has waited here; told only to who asks for it. */
  waitedSeconds?: number;
}

// Sorted by message id, so that two batches with common messages wait for each other instead of
// deadlocking. A message that is there already is a duplicate: it is counted, and, because somebody may be
// missing the answer, put back to be answered again from the decision recorded, never to be decided again.
// One that differs from what is there is not touched and not returned.
const receiveStatement: Statement = {
  name: 'inbox_receive',
  text: `
    insert into payments.inbox as inbox (message_id, order_id, user_id, amount, traceparent, job_id, deliveries)
    select message_id, order_id, user_id, amount, traceparent, job_id, deliveries
      from unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::integer[])
        as input (message_id, order_id, user_id, amount, traceparent, job_id, deliveries)
     order by message_id
    on conflict (message_id) do update
       set deliveries = inbox.deliveries + excluded.deliveries, processed_at = null
     where (inbox.order_id, inbox.user_id, inbox.amount) = (excluded.order_id, excluded.user_id, excluded.amount)
    returning message_id, deliveries`,
};

/** A message as received: `deliveries` counts its copies within the batch. */
export interface ReceivedRequest {
  messageId: string;
  request: PaymentRequested;
  jobId: string;
  deliveries: number;
}

/**
 * Step 3 in SQL: stores requests, duplicates dropped. Answers the deliveries counted so far by message id;
 * a request that differs from the one stored under its id is missing from the answer.
 */
export async function receiveRequests(
  db: Queryable,
  received: readonly ReceivedRequest[],
): Promise<ReadonlyMap<string, number>> {
  if (received.length === 0) return new Map();
  const stored = await db.query<{ message_id: string; deliveries: number }>(receiveStatement, [
    received.map(({ messageId }) => messageId),
    received.map(({ request }) => request.orderId),
    received.map(({ request }) => request.userId),
    received.map(({ request }) => request.amount),
    received.map(({ request }) => request.traceparent),
    received.map(({ jobId }) => jobId),
    received.map(({ deliveries }) => deliveries),
  ]);
  return new Map(stored.map(({ message_id, deliveries }) => [message_id, deliveries]));
}

// SKIP LOCKED: what another instance is deciding is its own.
const claim = (columns: string) => `
    select message_id, order_id, user_id, amount, traceparent, job_id${columns} from payments.inbox
     where processed_at is null and user_id <> all($2::text[]) order by seq limit $1 for update skip locked`;
const claimStatement: Statement = { name: 'inbox_claim', text: claim('') };
const measuredClaimStatement: Statement = {
  name: 'inbox_claim_measured',
  text: claim(', extract(epoch from now() - received_at)::float8 as waited_s'),
};

/** Claims up to `limit` waiting requests of others than these users, in inbox order, until the transaction ends. */
export async function claimRequests(
  tx: Transaction,
  limit: number,
  { exceptUsers, measured }: { exceptUsers: Iterable<string>; measured: boolean },
): Promise<InboxRequest[]> {
  const rows = await tx.query<{
    message_id: string;
    order_id: string;
    user_id: string;
    amount: bigint;
    traceparent: string | null;
    job_id: string;
    waited_s?: number;
  }>(measured ? measuredClaimStatement : claimStatement, [limit, [...exceptUsers]]);
  return rows.map((row) => ({
    messageId: row.message_id,
    orderId: row.order_id,
    userId: row.user_id,
    amount: row.amount,
    traceparent: row.traceparent ?? undefined,
    jobId: row.job_id,
    ...(measured ? { waitedSeconds: row.waited_s ?? 0 } : {}),
  }));
}

const markProcessedStatement: Statement = {
  name: 'inbox_mark_processed',
  text: 'update payments.inbox set processed_at = now() where message_id = any($1::uuid[])',
};

/** Marks claimed requests as processed. Sent, not waited for. */
export function markProcessed(tx: Transaction, requests: readonly InboxRequest[]): void {
  tx.send(markProcessedStatement, [requests.map((request) => request.messageId)]);
}

// SKIP LOCKED: a message that comes again at this moment keeps its row, and pruning waits for nobody.
const pruneStatement: Statement = {
  name: 'inbox_prune',
  text: `
    with examined as materialized (
      select message_id from payments.inbox
       where message_id > $1 and message_id < $2 order by message_id limit $4
    ), due as materialized (
      select message_id from payments.inbox
       where message_id in (select message_id from examined)
         and processed_at < now() - interval '1 second' * $3::int
         for update skip locked
    ), pruned as (
      delete from payments.inbox using due where inbox.message_id = due.message_id returning inbox.message_id
    )
    select (select count(*)::int from examined) as examined, (select count(*)::int from pruned) as pruned,
           (select message_id from examined order by message_id desc limit 1) as last`,
};

/** Deletes the processed rows that are old enough among the next `limit` by message id, in one statement. */
export async function pruneInbox(
  db: Queryable,
  walk: { after: string; before: string; olderThanSeconds: number; limit: number },
): Promise<{ examined: number; pruned: number; last: string | null }> {
  const [row] = await db.query<{ examined: number; pruned: number; last: string | null }>(pruneStatement, [
    walk.after,
    walk.before,
    walk.olderThanSeconds,
    walk.limit,
  ]);
  return row ?? { examined: 0, pruned: 0, last: null };
}
