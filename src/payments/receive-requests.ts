import type { Delivery } from '../messaging/broker/broker.ts';
import type { DeadLetter } from '../messaging/dead-letters.ts';
import { messageId, type PaymentRequested, toCloudEvent } from '../messaging/messages.ts';
import type { Outbox } from '../messaging/outbox.ts';
import { parseMessage } from '../messaging/parse-message.ts';
import type { Database } from '../platform/database.ts';
import { type ReceivedRequest, receiveRequests } from './inbox-store.ts';

/** What one batch of deliveries came to. */
export interface Received {
  /** Messages now in the inbox, new or again. */
  stored: readonly PaymentRequested[];
  /** Deliveries of messages that were there already. */
  duplicates: number;
  deadLetters: readonly DeadLetter[];
  /** The delivery of each message that was not there before. */
  firsts: readonly Delivery[];
  /** When they were sent to the inbox, in Unix milliseconds by this process's clock. */
  begunAt: number;
  /** How often each message came so far, by its id. */
  counts: ReadonlyMap<string, number>;
}

/**
 * Step 3, receive: the messages of a batch go into the inbox, in one statement, and what can never be processed
 * into the dead letters. Only then are the batch's jobs completed; delivered again, the same messages are
 * duplicates.
 * @param store puts them into the inbox, and answers, as `receiveRequests` does
 */
export async function receiveDeliveries(
  database: Database,
  outbox: Outbox,
  deliveries: readonly Delivery[],
  store = (received: readonly ReceivedRequest[]) => receiveRequests(database, received),
): Promise<Received> {
  const { received, deadLetters: unreadable } = readRequests(deliveries);
  const begunAt = Date.now();
  // Not repeated here when its answer is lost: it would count its own first try as a delivery.
  const stored = received.length === 0 ? new Map<string, number>() : await store(received);
  const firsts: Delivery[] = [];
  const requests: PaymentRequested[] = [];
  const contradictions: DeadLetter[] = [];
  for (const one of received) {
    const count = stored.get(one.messageId);
    if (count === undefined) contradictions.push(contradiction(one));
    else requests.push(one.request);
    if (count === one.deliveries) firsts.push(one.delivery);
  }
  const deadLetters = [...unreadable, ...contradictions];
  await outbox.add(database, [], deadLetters);
  const duplicates = deliveries.length - deadLetters.length - firsts.length;
  return { stored: requests, duplicates, deadLetters, firsts, begunAt, counts: stored };
}

/** Parses a batch; equal copies of a message become one with a count, since a row is written once. */
function readRequests(deliveries: readonly Delivery[]) {
  const received = new Map<string, ReceivedRequest & { delivery: Delivery }>();
  const deadLetters: DeadLetter[] = [];
  for (const delivery of deliveries) {
    const { jobId } = delivery;
    const parsed = parseMessage('payment-requests', delivery.message);
    if (!parsed.ok) {
      deadLetters.push({
        ...delivery,
        queue: 'payment-requests',
        reason: parsed.reason,
        detail: parsed.detail,
      });
      continue;
    }
    const request = parsed.message;
    const copy = received.get(request.orderId);
    if (copy === undefined) {
      const id = messageId(request.orderId, request.type);
      received.set(request.orderId, { messageId: id, request, jobId, deliveries: 1, delivery });
    } else if (copy.request.userId === request.userId && copy.request.amount === request.amount) {
      copy.deliveries += 1;
    } else deadLetters.push(contradiction({ request, jobId }));
  }
  return { received: [...received.values()], deadLetters };
}

function contradiction({ request, jobId }: Pick<ReceivedRequest, 'request' | 'jobId'>): DeadLetter {
  const detail = `another request about order ${request.orderId} was received before, for another user or amount`;
  const message = toCloudEvent(request);
  return { message, jobId, queue: 'payment-requests', reason: 'contradicts-decision', detail };
}
