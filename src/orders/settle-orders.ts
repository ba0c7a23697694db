import type { Delivery } from '../messaging/broker/broker.ts';
import type { DeadLetter } from '../messaging/dead-letters.ts';
import type { PaymentResult } from '../messaging/messages.ts';
import type { Outbox } from '../messaging/outbox.ts';
import { parseMessage } from '../messaging/parse-message.ts';
import { type Database, repeatSafely } from '../platform/database.ts';
import { formatAmount } from '../platform/money.ts';
import { isSettledAs, type Order, type Settlement, settlementOf } from './order.ts';
import { findOrders, settleOrders } from './store.ts';

/** What one batch of payment results came to. */
export interface Settled {
  /** Ids of the orders that became final. */
  settled: ReadonlySet<string>;
  /** Results that were known already. */
  duplicates: number;
  deadLetters: readonly DeadLetter[];
  /** When the statement that settled them was sent, in Unix milliseconds by this process's clock. */
  begunAt: number;
}

/**
 * Step 6, settle: payment results make NEW orders FINISHED or CANCELED, in one statement. A result for an order
 * that is final already changes nothing: it is either the same again, or a contradiction, which goes to the dead
 * letters as does every result that can never be applied. Only then are the batch's jobs completed; delivered
 * again, its results change nothing.
 */
export async function settleDeliveries(
  database: Database,
  outbox: Outbox,
  deliveries: readonly Delivery[],
): Promise<Settled> {
  const { results, deadLetters: unreadable } = readResults(deliveries);
  const firsts = new Map<string, Settlement>();
  for (const { result } of results) {
    // One about another user or amount is no result of this order, and must not shadow the one that is.
    const facts = `${result.orderId} ${result.userId} ${result.amount}`;
    if (!firsts.has(facts)) firsts.set(facts, settlementOf(result));
  }
  let begunAt = 0;
  const settled = await repeatSafely(() => {
    begunAt = Date.now();
    return settleOrders(database, [...firsts.values()]);
  });
  const contradictions =
    results.length > settled.size ? await findContradictions(database, results, settled) : [];
  const deadLetters = [...unreadable, ...contradictions];
  await outbox.add(database, [], deadLetters);
  const duplicates = results.length - settled.size - contradictions.length;
  return { settled, duplicates, deadLetters, begunAt };
}

interface DeliveredResult {
  result: PaymentResult;
  delivery: Delivery;
}

/** The results that do not agree with the order they are about. */
async function findContradictions(
  database: Database,
  results: readonly DeliveredResult[],
  settled: ReadonlySet<string>,
): Promise<DeadLetter[]> {
  // One that settled its order may stand beside another that contradicts it.
  const counts = new Map<string, number>();
  for (const { result } of results) counts.set(result.orderId, (counts.get(result.orderId) ?? 0) + 1);
  const doubtful = results.filter(
    ({ result: { orderId } }) => !settled.has(orderId) || (counts.get(orderId) ?? 0) > 1,
  );
  const found = await findOrders(database, [...new Set(doubtful.map(({ result }) => result.orderId))]);
  const orders = new Map(found.map((order) => [order.id, order]));
  return doubtful.flatMap(({ result, delivery }) =>
    contradiction(result, delivery, orders.get(result.orderId)),
  );
}

function readResults(deliveries: readonly Delivery[]) {
  const results: DeliveredResult[] = [];
  const deadLetters: DeadLetter[] = [];
  for (const delivery of deliveries) {
    const parsed = parseMessage('payment-results', delivery.message);
    if (parsed.ok) results.push({ result: parsed.message, delivery });
    else
      deadLetters.push({
        ...delivery,
        queue: 'payment-results',
        reason: parsed.reason,
        detail: parsed.detail,
      });
  }
  return { results, deadLetters };
}

/** The dead letter of a result that does not agree with the order it is about; none when it does. */
function contradiction(result: PaymentResult, delivery: Delivery, order: Order | undefined): DeadLetter[] {
  const letter = { ...delivery, queue: 'payment-results' } as const;
  if (order === undefined) {
    return [{ ...letter, reason: 'unknown-order', detail: `there is no order ${result.orderId}` }];
  }
  const settlement = settlementOf(result);
  if (isSettledAs(order, settlement)) return [];
  const says = ({ userId, amount, status, reason }: Order | Settlement) =>
    `${status}${reason === null ? '' : ` (${reason})`}, ${formatAmount(amount)} of ${userId}`;
  const detail = `order ${order.id} is ${says(order)}; the result says ${says(settlement)}`;
  return [{ ...letter, reason: 'contradicts-order', detail }];
}
