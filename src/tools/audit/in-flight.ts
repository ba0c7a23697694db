import type { Statement } from '../../platform/database.ts';
import type { AuditDatabase, TextRow } from './audit-database.ts';

/** What is on its way, by step: no violation, but a reason not to expect quiet. */

/** The steps, in the order an order takes them. */
export const steps = [
  'new_orders',
  'orders_outbox',
  'payment_requests',
  'inbox',
  'payments_outbox',
  'payment_results',
] as const;
export type Step = (typeof steps)[number];

/** What is at a step: how much, and the oldest of it, by a key that stays the same while it waits. */
export interface AtStep {
  count: number;
  oldest: string | null;
  /** The order the oldest is about. */
  orderId: string | null;
}
export type InFlight = Record<Step, AtStep>;

interface AtStepRow extends TextRow {
  count: string;
  oldest: string | null;
  order_id: string | null;
}

const newOrdersStatement: Statement = {
  name: 'audit_new_orders',
  text: `
    select count(*), min(order_id::text) as oldest, min(order_id::text) as order_id from orders.waiting`,
};

function outboxStatement(schema: 'orders' | 'payments'): Statement {
  return {
    name: `audit_${schema}_outbox`,
    text: `
      select coalesce(sum(message_count), 0) as count, min(seq) as oldest,
             (select messages -> 0 ->> 'subject' from ${schema}.outbox order by seq limit 1) as order_id
        from ${schema}.outbox`,
  };
}

const inboxStatement: Statement = {
  name: 'audit_inbox',
  text: `
    select count(*), min(seq) as oldest,
           (select order_id from payments.inbox where processed_at is null order by seq limit 1) as order_id
      from payments.inbox where processed_at is null`,
};

// Messages, not jobs: a job carries a batch. What is no batch is one message.
const queueStatement: Statement = {
  name: 'audit_queue',
  text: `
    with jobs as (
      select id, created_on, data from broker.job
       where name = $1 and state in ('created', 'retry', 'active')
    ), oldest as (
      select id, data -> 'messages' -> 0 ->> 'subject' as order_id from jobs order by created_on, id limit 1
    )
    select coalesce(sum(case when jsonb_typeof(data -> 'messages') = 'array'
                             then jsonb_array_length(data -> 'messages') else 1 end), 0) as count,
           (select id from oldest) as oldest, (select order_id from oldest) as order_id
      from jobs`,
};

async function atStep(database: AuditDatabase, statement: Statement, values: unknown[] = []) {
  const [row] = await database.rows<AtStepRow>(statement, values);
  return { count: Number(row?.count), oldest: row?.oldest ?? null, orderId: row?.order_id ?? null };
}

/** The steps that the orders database holds. */
export async function ordersInFlight(orders: AuditDatabase) {
  return {
    new_orders: await atStep(orders, newOrdersStatement),
    orders_outbox: await atStep(orders, outboxStatement('orders')),
  };
}

/** The steps that the payments database holds. */
export async function paymentsInFlight(payments: AuditDatabase) {
  return {
    inbox: await atStep(payments, inboxStatement),
    payments_outbox: await atStep(payments, outboxStatement('payments')),
  };
}

/** The steps that the broker holds. */
export async function brokerInFlight(broker: AuditDatabase) {
  return {
    payment_requests: await atStep(broker, queueStatement, ['payment-requests']),
    payment_results: await atStep(broker, queueStatement, ['payment-results']),
  };
}

/** How much is at each step, in the order of the steps. */
export function countInFlight(inFlight: InFlight): Record<Step, number> {
  return Object.fromEntries(steps.map((step) => [step, inFlight[step].count])) as Record<Step, number>;
}

/** Whether nothing is on its way. */
export function isQuiet(inFlight: Record<string, number>): boolean {
  return Object.values(inFlight).every((count) => count === 0);
}
