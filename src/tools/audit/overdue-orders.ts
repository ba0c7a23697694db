import type { Statement } from '../../platform/database.ts';
import type { AuditDatabase } from './audit-database.ts';
import { describeDecision, describeOrder } from './compare.ts';
import { findDecisions } from './decision-checks.ts';
import type { Findings } from './findings.ts';
import { findOrders } from './orders-checks.ts';

/** After this an order that nothing is on its way for is lost, until the sweep requests it again. */
const overdueSeconds = 30;
/** Orders looked for at once, held in memory by id; the oldest. */
const overdueMax = 50_000;

const overdueStatement: Statement = {
  name: 'audit_orders_overdue',
  text: `
    select id from orders.orders
     where status = 'NEW' and created_at < now() - interval '1 second' * $1::int
     order by created_at limit $2`,
};

function outboxSubjects(schema: 'orders' | 'payments'): Statement {
  return {
    name: `audit_${schema}_outbox_subjects`,
    text: `select message ->> 'subject' as id from ${schema}.outbox, json_array_elements(messages) as message`,
  };
}

const inboxSubjects: Statement = {
  name: 'audit_inbox_subjects',
  text: 'select order_id as id from payments.inbox where processed_at is null',
};

const queueSubjects: Statement = {
  name: 'audit_queue_subjects',
  text: `
    select message ->> 'subject' as id
      from broker.job cross join lateral jsonb_array_elements(data -> 'messages') as message
     where name = $1 and state in ('created', 'retry', 'active')
       and jsonb_typeof(data -> 'messages') = 'array'`,
};

/**
 * Finds orders that are NEW beyond their time although nothing is on its way for them. The steps are read
 * in the order a message takes them, so that one that moves meanwhile is met at a later one.
 */
export async function checkOverdueOrders(
  { orders, payments, broker }: { orders: AuditDatabase; payments: AuditDatabase; broker: AuditDatabase },
  findings: Findings,
): Promise<void> {
  const lost = new Set<string>();
  const within = async (database: AuditDatabase, read: () => Promise<void>) => {
    await database.begin();
    await read();
    await database.end();
  };
  const meet = async (database: AuditDatabase, statement: Statement, values: unknown[] = []) => {
    for await (const rows of database.pages<{ id: string | null }>(statement, values)) {
      for (const { id } of rows) if (id !== null) lost.delete(id);
    }
  };
  await within(orders, async () => {
    const values = [overdueSeconds, overdueMax];
    for await (const rows of orders.pages<{ id: string }>(overdueStatement, values)) {
      for (const { id } of rows) lost.add(id);
    }
  });
  if (lost.size === 0) return;
  await within(orders, () => meet(orders, outboxSubjects('orders')));
  await within(broker, () => meet(broker, queueSubjects, ['payment-requests']));
  await within(payments, async () => {
    await meet(payments, inboxSubjects);
    await meet(payments, outboxSubjects('payments'));
  });
  await within(broker, () => meet(broker, queueSubjects, ['payment-results']));
  const ids = [...lost];
  for (let from = 0; from < ids.length; from += 1_000) {
    await judgeLost({ orders, payments }, ids.slice(from, from + 1_000), findings);
  }
}

async function judgeLost(
  { orders, payments }: { orders: AuditDatabase; payments: AuditDatabase },
  ids: readonly string[],
  findings: Findings,
): Promise<void> {
  // What was settled meanwhile is not lost.
  const stillNew = (await findOrders(orders, ids)).filter(({ status }) => status === 'NEW');
  const decisions = new Map((await findDecisions(payments, ids)).map((row) => [row.order_id, row]));
  for (const order of stillNew) {
    const decision = decisions.get(order.id);
    const since = `beyond ${overdueSeconds} s, and nothing is on its way for it`;
    if (decision === undefined) {
      findings.add('new-order-in-time', order.id, `${describeOrder(order)} ${since}`);
    } else {
      const detail = `${describeOrder(order)} ${since}; ${describeDecision(decision)}`;
      findings.add('decided-is-settled', order.id, detail);
    }
  }
}
