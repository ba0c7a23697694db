import { messageId } from '../../messaging/messages.ts';
import type { Queryable } from '../../platform/database.ts';
import type { Moment } from '../common-clock.ts';
import type { Holder, LockWait, OrderFacts, OrdersSide, OutboxFacts, PaymentsSide } from './trace-facts.ts';
import * as sql from './trace-statements.ts';

/** Reads what the orders database knows about an order. */
export async function readOrders(db: Queryable, orderId: string): Promise<OrdersSide> {
  const [row] = await db.query<{
    user_id: string;
    amount: bigint;
    status: OrderFacts['status'];
    reason: string | null;
    request_count: number | null;
    created_at: Moment;
    settled_at: Moment | null;
    requested_at: Moment | null;
  }>(sql.orderStatement, [orderId]);
  if (row === undefined) return { order: null, outbox: null, waits: [] };
  const order = {
    userId: row.user_id,
    amount: row.amount,
    status: row.status,
    reason: row.reason,
    createdAt: row.created_at,
    settledAt: row.settled_at,
    requestedAt: row.requested_at ?? row.created_at,
    requestCount: row.request_count ?? 1,
  };
  if (order.status !== 'NEW') return { order, outbox: null, waits: [] };
  return {
    order,
    outbox: await readOutbox(db, 'orders', orderId, [order.createdAt, order.requestedAt]),
    waits: await db.query<LockWait>(sql.waitsStatement),
  };
}

async function readOutbox(
  db: Queryable,
  schema: 'orders' | 'payments',
  orderId: string,
  moments: [Moment, Moment],
): Promise<OutboxFacts | null> {
  const [row] = await db.query<{ created_at: Moment; holder: Holder | null; ahead: number }>(
    sql.outboxStatement(schema),
    [orderId, ...moments],
  );
  return row === undefined ? null : { createdAt: row.created_at, ahead: row.ahead, holder: row.holder };
}

interface PaymentsRow {
  job_id: string | null;
  deliveries: number;
  received_at: Moment;
  processed_at: Moment | null;
  inbox_holder: Holder | null;
  ahead: number | null;
  outcome: 'paid' | 'failed' | null;
  reason: string | null;
  decided_at: Moment;
  entry_seq: bigint | null;
  entry_balance: bigint;
}

/** Reads what the payments database knows; what an open order waits for is looked at too. */
export async function readPayments(
  db: Queryable,
  orderId: string,
  order: OrderFacts | undefined,
): Promise<PaymentsSide> {
  const request = messageId(orderId, 'payment.requested.v1');
  const [row] = await db.query<PaymentsRow>(sql.paymentsStatement, [orderId, request]);
  if (row === undefined) return { inbox: null, decision: null, accountHolder: null, outbox: null, waits: [] };
  const inbox =
    row.job_id === null
      ? null
      : {
          jobId: row.job_id,
          deliveries: row.deliveries,
          receivedAt: row.received_at,
          processedAt: row.processed_at,
          ahead: row.ahead ?? 0,
          holder: row.inbox_holder,
        };
  const decision =
    row.outcome === null
      ? null
      : {
          outcome: row.outcome,
          reason: row.reason,
          decidedAt: row.decided_at,
          entry: row.entry_seq === null ? null : { seq: row.entry_seq, balance: row.entry_balance },
        };
  const side: PaymentsSide = { inbox, decision, accountHolder: null, outbox: null, waits: [] };
  if (order !== undefined && order.status !== 'NEW') return side;
  if (decision !== null) {
    const again = inbox?.processedAt ?? decision.decidedAt;
    side.outbox = await readOutbox(db, 'payments', orderId, [decision.decidedAt, again]);
  } else if (order !== undefined) {
    const [account] = await db.query<{ holder: Holder | null }>(sql.accountStatement, [order.userId]);
    side.accountHolder = account?.holder ?? null;
  }
  side.waits = await db.query<LockWait>(sql.waitsStatement);
  return side;
}
