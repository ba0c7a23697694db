import type { Statement } from '../../platform/database.ts';
import type { AuditDatabase, TextRow } from './audit-database.ts';
import type { Findings } from './findings.ts';

/** The invariants that the orders database holds alone. */

/** An order as the audit compares it; `amount` in minor units. */
export interface OrderRow extends TextRow {
  id: string;
  user_id: string;
  amount: string;
  status: string;
  reason: string | null;
}

const totalsStatement: Statement = {
  name: 'audit_orders_totals',
  text: `
    select count(*) as orders, coalesce(sum(amount) filter (where status = 'FINISHED'), 0) as finished
      from orders.orders`,
};

/** How many orders there are, and the sum of those FINISHED, in minor units. */
export async function ordersTotals(orders: AuditDatabase) {
  const [row] = await orders.rows<{ orders: string; finished: string }>(totalsStatement);
  return { orders: Number(row?.orders), finished: BigInt(row?.finished ?? 0) };
}

/** All orders, by id, for the comparison with the decisions. */
export const ordersById: Statement = {
  name: 'audit_orders',
  text: 'select id, user_id, amount, status, reason from orders.orders order by id',
};

const findOrdersStatement: Statement = {
  name: 'audit_orders_find',
  text: 'select id, user_id, amount, status, reason from orders.orders where id = any($1::uuid[])',
};

/** These orders; one that does not exist is missing. */
export function findOrders(orders: AuditDatabase, ids: readonly string[]): Promise<OrderRow[]> {
  return orders.rows<OrderRow>(findOrdersStatement, [ids]);
}

// A status that was set back or over leaves what belongs to the other behind. One that was changed with
// all that belongs to it disagrees with its decision, which is compared elsewhere.
const changedStatement: Statement = {
  name: 'audit_orders_changed',
  text: `
    select id, status, reason, settled_at from orders.orders
     where (status = 'NEW') <> (settled_at is null) or (status = 'CANCELED') <> (reason is not null)
     order by id`,
};

async function findChanged(orders: AuditDatabase, findings: Findings): Promise<void> {
  type Row = { id: string; status: string; reason: string | null; settled_at: string | null };
  for await (const rows of orders.pages<Row>(changedStatement)) {
    for (const { id, status, reason, settled_at } of rows) {
      const detail = `status ${status}, reason ${reason ?? 'none'}, settled ${settled_at ?? 'never'}`;
      findings.add('final-status-never-changes', id, detail);
    }
  }
}

const keysStatement: Statement = {
  name: 'audit_orders_keys',
  text: `
    select user_id, idempotency_key, count(*), min(id::text) as first, max(id::text) as last
      from orders.orders where idempotency_key is not null
     group by user_id, idempotency_key having count(*) > 1`,
};

async function findRepeatedKeys(orders: AuditDatabase, findings: Findings): Promise<void> {
  type Row = { user_id: string; idempotency_key: string; count: string; first: string; last: string };
  for await (const rows of orders.pages<Row>(keysStatement)) {
    for (const { user_id, idempotency_key, count, first, last } of rows) {
      const detail = `key ${idempotency_key} made ${count} orders, such as ${first} and ${last}`;
      findings.add('one-order-per-key', user_id, detail);
    }
  }
}

// What no row of orders.waiting stands for, the sweep would never request again.
const waitingStatement: Statement = {
  name: 'audit_orders_waiting',
  text: `
    select id, status from orders.orders
     where status = 'NEW' and not exists (select from orders.waiting where waiting.order_id = orders.id)
    union all
    select waiting.order_id, orders.status
      from orders.waiting left join orders.orders on orders.id = waiting.order_id
     where coalesce(orders.status, '') <> 'NEW'
     order by 1`,
};

async function findWronglyWaiting(orders: AuditDatabase, findings: Findings): Promise<void> {
  for await (const rows of orders.pages<{ id: string; status: string | null }>(waitingStatement)) {
    for (const { id, status } of rows) {
      const detail =
        status === 'NEW' ? 'NEW, and not among those that wait' : `waits, and is ${status ?? 'no order'}`;
      findings.add('new-orders-wait', id, detail);
    }
  }
}

/** Checks what the orders database holds alone, in its snapshot. */
export async function checkOrders(orders: AuditDatabase, findings: Findings): Promise<void> {
  await findChanged(orders, findings);
  await findRepeatedKeys(orders, findings);
  await findWronglyWaiting(orders, findings);
}
