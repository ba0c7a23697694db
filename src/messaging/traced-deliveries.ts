import type { Spans } from '../platform/telemetry/spans.ts';
import type { Delivery } from './broker/broker.ts';
import type { DeadLetter } from './dead-letters.ts';
import { type Outcome, type Step, StepSpans } from './step-spans.ts';
import { isTraceable, type TraceableMessage } from './traced-message.ts';

/** What handling deliveries comes to, as far as every handler tells. */
interface Handled {
  duplicates: number;
  deadLetters: readonly DeadLetter[];
}

/**
 * Handles deliveries (steps 3 and 6) with a span for each message that has a trace. The messages that `handle`
 * gets tell that span, so that what is stored or refused of them goes on from it.
 * @param isKnown whether a message changed nothing, asked where some did not; `isCopy` when its order came before in
 *   these deliveries
 */
export async function handleTraced<Result extends Handled>(
  { spans, step }: { spans: Spans; step: Step },
  deliveries: readonly Delivery[],
  handle: (deliveries: readonly Delivery[]) => Promise<Result>,
  isKnown: (result: Result, orderId: string, isCopy: boolean) => boolean,
): Promise<Result> {
  const about = deliveries.filter(({ message }) => isTraceable(message));
  const messages = about.map(({ message }) => message as TraceableMessage);
  const begun = new StepSpans(
    spans,
    step,
    messages.map(({ traceparent }) => traceparent),
  );
  let result: Result;
  try {
    result = await handle(begun.recorded ? withTraceparents(deliveries, about, begun) : deliveries);
  } catch (error) {
    begun.fail(error);
    throw error;
  }
  const { duplicates, deadLetters } = result;
  if (duplicates + deadLetters.length === 0) {
    begun.end((index) => ({ 'tillbox.order.id': messages[index]?.subject ?? '' }));
    return result;
  }
  const refused = new Map(
    deadLetters.flatMap(({ message, reason }) =>
      isTraceable(message) ? [[message.subject.toLowerCase(), reason]] : [],
    ),
  );
  const seen = new Set<string>();
  begun.end((index): Outcome => {
    const orderId = (messages[index] as TraceableMessage).subject.toLowerCase();
    const isCopy = seen.has(orderId);
    seen.add(orderId);
    const reason = refused.get(orderId);
    if (reason !== undefined) return { 'tillbox.order.id': orderId, 'tillbox.dead_letter': reason };
    if (!isKnown(result, orderId, isCopy)) return { 'tillbox.order.id': orderId };
    return { 'tillbox.order.id': orderId, 'tillbox.duplicate': true };
  });
  return result;
}

/** The deliveries with the messages told their new spans; those that have none stay as they are. */
function withTraceparents(
  deliveries: readonly Delivery[],
  about: readonly Delivery[],
  begun: StepSpans,
): Delivery[] {
  let index = 0;
  return deliveries.map((delivery) => {
    if (delivery !== about[index]) return delivery;
    const message = delivery.message as TraceableMessage;
    const traceparent = begun.traceparent(index) ?? message.traceparent;
    index += 1;
    return { ...delivery, message: { ...message, traceparent } };
  });
}
