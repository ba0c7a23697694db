import { batchSizeMax, type PaymentRequested, toCloudEvent } from '../messaging/messages.ts';
import type { Queryable, Statement } from '../platform/database.ts';
import type { Order, OrderStatus, Settlement } from './order.ts';

/** All SQL of the orders service. Rows become orders here and nowhere else. */

interface OrderRow {
  id: string;
  user_id: string;
  amount: bigint;
  description: string;
  status: OrderStatus;
  reason: string | null;
  created_at: Date;
  settled_at: Date | null;
}

const orderColumns = 'id, user_id, amount, description, status, reason, created_at, settled_at';

function toOrder(row: OrderRow): Order {
  return {
    id: row.id,
    userId: row.user_id,
    amount: row.amount,
    description: row.description,
    status: row.status,
    reason: row.reason,
    createdAt: row.created_at,
    settledAt: row.settled_at,
  };
}

/** A new order and the payment request it is announced with. */
export interface NewOrder {
  id: string;
  userId: string;
  amount: bigint;
  description: string;
  idempotencyKey: string | undefined;
  paymentRequest: PaymentRequested;
}

// One statement, hence one transaction: the orders with their payment requests as a batch of the outbox, or
// nothing. ON CONFLICT DO NOTHING: an order that is there already, by id or by idempotency key, is left alone
// and not returned, and its request is taken out of the batch. Sorted, so that two statements which share keys
// wait for each other instead of deadlocking.
const insertOrdersStatement: Statement = {
  name: 'orders_insert',
  text: `
    with created as (
      insert into orders.orders (id, user_id, amount, description, idempotency_key)
      select id, user_id, amount, description, idempotency_key
        from unnest($1::uuid[], $2::text[], $3::bigint[], $4::text[], $5::text[])
          as input (id, user_id, amount, description, idempotency_key)
       order by user_id, idempotency_key
      on conflict do nothing
      returning id, created_at
    ), noted as (
      insert into orders.waiting (order_id) select id from created
    ), announced as (
      insert into orders.outbox (queue, messages, message_count)
      select 'payment-requests',
             case count when $7 then $6::json
               else (select json_agg(request) from json_array_elements($6::json) as request
                      where (request ->> 'subject')::uuid = any(array(select id from created))) end,
             count
        from (select count(*) from created) as created where count > 0
    )
    select id, created_at from created`,
};

/** Orders inserted by one statement at most: their requests are one batch. */
export const insertedMax = batchSizeMax;

/**
 * Step 1 in SQL: inserts up to 100 orders with their requests; answers when each new one was created, by id.
 */
export async function insertOrders(db: Queryable, orders: readonly NewOrder[]): Promise<Map<string, Date>> {
  const rows = await db.query<{ id: string; created_at: Date }>(insertOrdersStatement, [
    orders.map(({ id }) => id),
    orders.map(({ userId }) => userId),
    orders.map(({ amount }) => amount),
    orders.map(({ description }) => description),
    orders.map(({ idempotencyKey }) => idempotencyKey),
    JSON.stringify(orders.map(({ paymentRequest }) => toCloudEvent(paymentRequest))),
    orders.length,
  ]);
  return new Map(rows.map((row) => [row.id, row.created_at]));
}

const findCreatedStatement: Statement = {
  name: 'orders_find_created',
  text: `
    select ${orderColumns}, idempotency_key from orders.orders where id = any($1::uuid[])
    union
    select ${orderColumns}, idempotency_key from orders.orders
      where idempotency_key is not null
        and (user_id, idempotency_key) in (select * from unnest($2::text[], $3::text[]))`,
};

/** The orders that are there under these ids, or under these users' idempotency keys. */
export async function findCreated(
  db: Queryable,
  wanted: readonly Pick<NewOrder, 'id' | 'userId' | 'idempotencyKey'>[],
): Promise<{ order: Order; idempotencyKey: string | null }[]> {
  const keyed = wanted.filter(({ idempotencyKey }) => idempotencyKey !== undefined);
  const rows = await db.query<OrderRow & { idempotency_key: string | null }>(findCreatedStatement, [
    wanted.map(({ id }) => id),
    keyed.map(({ userId }) => userId),
    keyed.map(({ idempotencyKey }) => idempotencyKey),
  ]);
  return rows.map((row) => ({ order: toOrder(row), idempotencyKey: row.idempotency_key }));
}

// An order that is not NEW is not touched: a final status never changes. (user_id || '' keeps a plan made on an
// empty table from going through the index of users, hence through all orders of one.) Two batches that share
// orders come from one message delivered twice; should they deadlock, the one that loses is run again.
const settleOrdersStatement: Statement = {
  name: 'orders_settle',
  text: `
    with settled as (
      update orders.orders
         set status = input.status, reason = input.reason, settled_at = now()
        from unnest($1::uuid[], $2::text[], $3::bigint[], $4::text[], $5::text[])
          as input (order_id, user_id, amount, status, reason)
       where orders.id = input.order_id and orders.status = 'NEW'
         and (orders.user_id || '', orders.amount) = (input.user_id, input.amount)
      returning orders.id
    ), no_longer_waiting as (
      delete from orders.waiting using settled where waiting.order_id = settled.id
    )
    select id from settled`,
};

/**
 * Step 6 in SQL: settles the orders that are NEW and of that user and amount, answers their ids. Two
 * settlements of the same order differ in user or amount.
 */
export async function settleOrders(db: Queryable, settlements: readonly Settlement[]): Promise<Set<string>> {
  const rows = await db.query<{ id: string }>(settleOrdersStatement, [
    settlements.map(({ orderId }) => orderId),
    settlements.map(({ userId }) => userId),
    settlements.map(({ amount }) => amount),
    settlements.map(({ status }) => status),
    settlements.map(({ reason }) => reason),
  ]);
  return new Set(rows.map(({ id }) => id));
}

const findOrdersStatement: Statement = {
  name: 'orders_find',
  text: `select ${orderColumns} from orders.orders where id = any($1::uuid[])`,
};

/** The orders with these ids, in any order; one that does not exist is missing. */
export async function findOrders(db: Queryable, ids: readonly string[]): Promise<Order[]> {
  return (await db.query<OrderRow>(findOrdersStatement, [ids])).map(toOrder);
}

// A statement for each kind of page rather than one with optional conditions, so that each has the plan it
// deserves. The position is looked up by id, because a time in microseconds does not survive the way through a
// client.
const isAfter = `
  and (created_at, id) < (select position.created_at, position.id from orders.orders position where id = $3)`;
const pageStatement = (name: string, conditions: string): Statement => ({
  name: `orders_list${name}`,
  text: `
    select ${orderColumns} from orders.orders
     where user_id = $1${conditions}
     order by created_at desc, id desc limit $2`,
});
const pageStatements = {
  first: { all: pageStatement('', ''), withStatus: pageStatement('_by_status', ' and status = $3') },
  next: {
    all: pageStatement('_after', isAfter),
    withStatus: pageStatement('_by_status_after', `${isAfter} and status = $4`),
  },
};

/** A page of a user's orders, newest first; `after` is the id of the last order of the page before. */
export async function listOrders(
  db: Queryable,
  page: { userId: string; status: OrderStatus | undefined; after: string | undefined; limit: number },
): Promise<Order[]> {
  const { userId, status, after, limit } = page;
  const statements = after === undefined ? pageStatements.first : pageStatements.next;
  const statement = status === undefined ? statements.all : statements.withStatus;
  const given = [after, status].filter((value) => value !== undefined);
  return (await db.query<OrderRow>(statement, [userId, limit, ...given])).map(toOrder);
}

// SKIP LOCKED: what another sweep is at, or a settlement, needs no second one. The wait grows with each
// request, so that a long backlog is not multiplied.
const claimOverdueStatement: Statement = {
  name: 'orders_claim_overdue',
  text: `
    with overdue as materialized (
      select order_id from orders.waiting
       where requested_at < now() - interval '1 second' * $1::float8
         and requested_at < now() - interval '1 second' * least($1::float8 * $3::float8 ^ least(request_count - 1, 100), $2::float8)
       order by requested_at limit $4 for no key update skip locked
    ), claimed as (
      update orders.waiting
         set requested_at = now(), request_count = least(request_count + 1, 1000)
        from overdue where waiting.order_id = overdue.order_id
      returning waiting.order_id
    )
    select orders.id, orders.user_id, orders.amount
      from claimed join orders.orders on orders.id = claimed.order_id where orders.status = 'NEW'`,
};

/** Marks orders that wait too long as requested again, in the caller's transaction, and answers them. */
export async function claimOverdue(
  db: Queryable,
  limits: { overdueSeconds: number; backoffSecondsMax: number; growth: number; limit: number },
): Promise<Pick<Order, 'id' | 'userId' | 'amount'>[]> {
  const rows = await db.query<Pick<OrderRow, 'id' | 'user_id' | 'amount'>>(claimOverdueStatement, [
    limits.overdueSeconds,
    limits.backoffSecondsMax,
    limits.growth,
    limits.limit,
  ]);
  return rows.map((row) => ({ id: row.id, userId: row.user_id, amount: row.amount }));
}
