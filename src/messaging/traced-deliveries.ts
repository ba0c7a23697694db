import type { Spans } from '../platform/telemetry/spans.ts';
import type { Delivery } from './broker/broker.ts';
import type { DeadLetter } from './dead-letters.ts';
import { type Outcome, type Step, StepSpans } from './step-spans.ts';
import { isTraceable, type TraceableMessage } from './traced-message.ts';

/**
 * Handles deliveries (steps 3 and 6) with a span for each message that is about an order. The messages that `handle`
 * gets tell that span, so that what is stored or refused of them goes on from it.
 * @param outcomeOf what came of the handling for a message; `isCopy` when its order came before in these deliveries
 */
export async function handleTraced<Result extends { deadLetters: readonly DeadLetter[] }>(
  { spans, step }: { spans: Spans; step: Step },
  deliveries: readonly Delivery[],
  handle: (deliveries: readonly Delivery[]) => Promise<Result>,
  outcomeOf: (result: Result, orderId: string, isCopy: boolean) => Outcome,
): Promise<Result> {
  const messages = deliveries.map(({ message }) => message).filter(isTraceable);
  const begun = new StepSpans(
    spans,
    step,
    messages.map(({ traceparent }) => traceparent),
  );
  let result: Result;
  try {
    result = await handle(withTraceparents(deliveries, begun));
  } catch (error) {
    begun.fail(error);
    throw error;
  }
  const refused = new Map(
    result.deadLetters.flatMap(({ message, reason }) =>
      isTraceable(message) ? [[message.subject.toLowerCase(), reason]] : [],
    ),
  );
  const seen = new Set<string>();
  begun.end((index) => {
    const orderId = (messages[index] as TraceableMessage).subject.toLowerCase();
    const isCopy = seen.has(orderId);
    seen.add(orderId);
    const reason = refused.get(orderId);
    const outcome =
      reason === undefined ? outcomeOf(result, orderId, isCopy) : { 'tillbox.dead_letter': reason };
    return { 'tillbox.order.id': orderId, ...outcome };
  });
  return result;
}

function withTraceparents(deliveries: readonly Delivery[], begun: StepSpans): Delivery[] {
  let index = 0;
  return deliveries.map((delivery) => {
    if (!isTraceable(delivery.message)) return delivery;
    const traceparent = begun.traceparent(index);
    index += 1;
    return { ...delivery, message: { ...delivery.message, traceparent } };
  });
}
