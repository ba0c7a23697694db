import pg from 'pg';

/**
 * What the programs of the comparison have in common: what they keep, and what they are asked. Each is the
 * flow of tillbox as one would write it with a job queue: an order with its job, the payment in a worker with
 * the debit in one transaction, the result as a job back, the order settled. All of them live in one database,
 * because a job that is enqueued with the data must be in theirs.
 */

/** An order as the HTTP door hands it over; `amount` in minor units. */
export interface NewOrder {
  id: string;
  userId: string;
  amount: string;
  description: string;
}

/** What the payment worker has decided about an order. */
export interface PaymentResult {
  orderId: string;
  paid: boolean;
}

/** A program to compare with: two processes, orders and payments, that talk through its queue. */
export interface Program {
  title: string;
  /** What tillbox guarantees and this does not, told with its figures. */
  lacks: string;
  /** Creates queues and tables of its library in an empty database. */
  setUp(url: string): Promise<void>;
  /** Starts the orders process: answers how an order is created, and settles orders meanwhile. */
  startOrders(url: string): Promise<(order: NewOrder) => Promise<void>>;
  /** Starts the payments process. */
  startPayments(url: string): Promise<void>;
}

/** The tables of every program. The primary key of `payments` is what keeps it from charging twice. */
export async function createTables(url: string): Promise<void> {
  await withClient(url, (client) =>
    client.query(`
      create table accounts (
        user_id text primary key,
        balance bigint not null check (balance >= 0)
      ) with (fillfactor = 60);
      create table orders (
        id uuid primary key,
        user_id text not null,
        amount bigint not null,
        description text not null,
        status text not null default 'NEW',
        created_at timestamptz not null default now(),
        settled_at timestamptz
      );
      create index on orders (user_id, created_at desc);
      create table payments (
        order_id uuid primary key,
        user_id text not null,
        amount bigint not null,
        paid boolean not null
      );`),
  );
}

/** Runs `work` on a connection of its own. */
export async function withClient<Result>(
  url: string,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Runs `work` in a transaction on a connection of the pool. */
export async function inTransaction<Result>(
  pool: pg.Pool,
  work: (client: pg.PoolClient) => Promise<Result>,
): Promise<Result> {
  const client = await pool.connect();
  try {
    await client.query('begin');
    const result = await work(client);
    await client.query('commit');
    client.release();
    return result;
  } catch (error) {
    client.release(error as Error);
    throw error;
  }
}

/** Anything that runs a statement: a connection, or a library's transaction. */
export type Query = (
  text: string,
  values: unknown[],
) => Promise<{ rowCount?: number | null; rows: unknown[] }>;

/** The order's row. */
export function insertOrder(query: Query, { id, userId, amount, description }: NewOrder) {
  return query('insert into orders (id, user_id, amount, description) values ($1, $2, $3, $4)', [
    id,
    userId,
    amount,
    description,
  ]);
}

/** The debit of one order and its record. Undefined when it was paid before: a job may come twice. */
export async function pay(query: Query, order: NewOrder): Promise<PaymentResult | undefined> {
  const { id, userId, amount } = order;
  const recorded = await query(
    `insert into payments (order_id, user_id, amount, paid)
     select $1, $2, $3, exists (select from accounts where user_id = $2 and balance >= $3 for update)
     on conflict do nothing returning paid`,
    [id, userId, amount],
  );
  const [decision] = recorded.rows as { paid: boolean }[];
  if (decision === undefined) return undefined;
  if (decision.paid) {
    await query('update accounts set balance = balance - $2 where user_id = $1', [userId, amount]);
  }
  return { orderId: id, paid: decision.paid };
}

/** The end of one order. */
export function settle(query: Query, { orderId, paid }: PaymentResult) {
  return query(`update orders set status = $2, settled_at = now() where id = $1 and status = 'NEW'`, [
    orderId,
    paid ? 'FINISHED' : 'CANCELED',
  ]);
}
