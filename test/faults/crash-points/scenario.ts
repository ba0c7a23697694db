import { randomUUID } from 'node:crypto';
import { v7 as uuidV7 } from 'uuid';
import { toCloudEvent } from '../../../src/messaging/messages.ts';
import { writeOnce, writeUntilAnswered } from './client.ts';
import type { Sql } from './lane.ts';

/**
 * The work of one cell of the grid: something of everything that statements are sent for. Each cell has
 * users of its own, named after it, so that what broke is known to be its own.
 */

/** A user with money and one finished order that every cell may refer to. */
export interface Base {
  userId: string;
  orderId: string;
  amount: bigint;
}

/** What is known to have been asked for. */
export interface Asked {
  cell: string;
  /** Orders put into the database, with and without a payment request on its way. */
  placed: string[];
  /** Orders answered by HTTP: id by what was to become of them. */
  answered: Partial<Record<'paid' | 'poor' | 'nobody' | 'unrepeated', string>>;
}

export const amounts = {
  topup: '100.00',
  poorTopup: '1.00',
  paid: '30.00',
  poor: '5.00',
  unrepeated: '10.00',
};
/** In minor units; of orders put into the database. */
export const placedAmount = 700n;

/**
 * Puts work into the databases while the daemon is away: an order with its request in the outbox, one whose
 * request was lost, and messages that came before, contradict, or are none.
 */
export async function placeWork(sql: Sql, cell: string, base: Base): Promise<string[]> {
  const requested = { type: 'payment.requested.v1', orderId: base.orderId, amount: base.amount } as const;
  const succeeded = { type: 'payment.succeeded.v1', orderId: base.orderId, amount: base.amount } as const;
  const stranger = `${cell}-stranger`;
  const poison = { type: 'no.message.v1', cell };
  const [announced, lost] = [uuidV7(), uuidV7()];
  // An order that answers the same request again, as after a duplicate delivery.
  await sql('payments', 'update payments.inbox set processed_at = null where order_id = $1', [base.orderId]);
  await sql(
    'orders',
    `with placed as (
       insert into orders.orders (id, user_id, amount, description)
       values ($1, $3, $4, 'announced'), ($2, $3, $4, 'lost')
     ), waiting as (
       insert into orders.waiting (order_id, requested_at)
       values ($1, now() + interval '1 hour'), ($2, now() - interval '1 hour')
     )
     insert into orders.outbox (queue, messages, message_count)
     select 'payment-requests', json_build_array(message), 1 from unnest($5::jsonb[]) as message`,
    [
      announced,
      lost,
      base.userId,
      placedAmount.toString(),
      [
        toCloudEvent({ ...requested, orderId: announced, userId: base.userId, amount: placedAmount }),
        toCloudEvent({ ...requested, userId: base.userId }),
        toCloudEvent({ ...requested, userId: stranger }),
        poison,
      ],
    ],
  );
  await sql(
    'payments',
    `insert into payments.outbox (queue, messages, message_count)
     select 'payment-results', json_build_array(message), 1 from unnest($1::jsonb[]) as message`,
    [
      [
        toCloudEvent({ ...succeeded, userId: base.userId }),
        toCloudEvent({ ...succeeded, userId: stranger }),
        toCloudEvent({ ...succeeded, orderId: randomUUID(), userId: `${cell}-ghost` }),
        poison,
      ],
    ],
  );
  return [announced, lost];
}

/** Puts a job back as one whose worker died with it long ago. */
export async function placeAbandonedJob(sql: Sql): Promise<void> {
  await sql(
    'broker',
    `insert into broker.job
     select abandoned.*
       from (select * from broker.job where name = 'payment-requests' and state = 'completed' limit 1) job,
            jsonb_populate_record(null::broker.job, to_jsonb(job) || jsonb_build_object(
              'id', gen_random_uuid(), 'state', 'active', 'started_on', now() - interval '1 minute',
              'completed_on', null, 'retry_count', 0)) abandoned`,
  );
}

/** The client of a cell: every request until it is answered, but the last, which is sent once. */
export async function beClient(urls: { orders: string; payments: string }, asked: Asked): Promise<void> {
  const { cell, answered } = asked;
  const account = (name: string) =>
    writeUntilAnswered(`${urls.payments}/accounts`, { user_id: `${cell}-${name}` }, `${cell}-${name}`);
  const topup = (name: string, amount: string) =>
    writeUntilAnswered(`${urls.payments}/accounts/${cell}-${name}/topups`, { amount }, `${cell}-${name}`);
  const order = async (kind: 'paid' | 'poor' | 'nobody', userId: string, amount: string) => {
    const request = { user_id: userId, amount, description: kind };
    const { body } = await writeUntilAnswered(`${urls.orders}/orders`, request, kind);
    const id = String(body['id']);
    if (answered[kind] !== undefined && answered[kind] !== id) {
      throw new Error(`the ${kind} order was answered as ${answered[kind]}, repeated as ${id}`);
    }
    answered[kind] = id;
  };
  await Promise.all([account('rich'), account('poor')]);
  await account('rich');
  await Promise.all([topup('rich', amounts.topup), topup('poor', amounts.poorTopup)]);
  await topup('rich', amounts.topup);
  const once = { user_id: `${cell}-rich`, amount: amounts.unrepeated, description: 'unrepeated' };
  const [unrepeated] = await Promise.all([
    writeOnce(`${urls.orders}/orders`, once),
    order('paid', `${cell}-rich`, amounts.paid),
    order('poor', `${cell}-poor`, amounts.poor),
    order('nobody', `${cell}-nobody`, amounts.poor),
  ]);
  if (unrepeated?.status === 201) answered.unrepeated = String(unrepeated.body['id']);
  await order('paid', `${cell}-rich`, amounts.paid);
}
