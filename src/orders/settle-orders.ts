import type { Delivery } from '../messaging/broker.ts';
import type { DeadLetter } from '../messaging/dead-letters.ts';
import { type PaymentResult, parseMessage } from '../messaging/messages.ts';
import type { Outbox } from '../messaging/outbox.ts';
import type { Database } from '../platform/database.ts';
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
}

/**
 * Step 6, settle: payment results make NEW orders FINISHED or CANCELED, in one transaction. A result for an
 * order that is final already changes nothing: it is either the same again, or a contradiction, which goes
 * to the dead letters as does every result that can never be applied.
 */
export async function settleDeliveries(
  database: Database,
  outbox: Outbox,
  deliveries: readonly Delivery[],
): Promise<Settled> {
  const { results, deadLetters: unreadable } = readResults(deliveries);
  return database.transaction(async (tx) => {
    const firsts = new Map<string, Settlement>();
    for (const { result } of results) {
      // One about another user or amount is no result of this order, and must not shadow the one that is.
      const facts = `${result.orderId} ${result.userId} ${result.amount}`;
      if (!firsts.has(facts)) firsts.set(facts, settlementOf(result));
    }
    const settled = await settleOrders(tx, [...firsts.values()]);
    const repeated = results.length > settled.size;
    const unsettled = repeated ? results.map(({ result }) => result.orderId) : [];
    const orders = new Map((await findOrdersUnlessNone(tx, unsettled)).map((order) => [order.id, order]));
    const contradictions = repeated
      ? results.flatMap(({ result, delivery }) => contradiction(result, delivery, orders.get(result.orderId)))
      : [];
    const deadLetters = [...unreadable, ...contradictions];
    await outbox.add(tx, [], deadLetters);
    return { settled, duplicates: results.length - settled.size - contradictions.length, deadLetters };
  });
}

async function findOrdersUnlessNone(tx: Parameters<typeof findOrders>[0], ids: string[]): Promise<Order[]> {
  return ids.length === 0 ? [] : findOrders(tx, ids);
}

function readResults(deliveries: readonly Delivery[]) {
  const results: { result: PaymentResult; delivery: Delivery }[] = [];
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
