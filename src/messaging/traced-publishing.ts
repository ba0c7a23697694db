import type { Spans } from '../platform/telemetry/spans.ts';
import type { Broker, Publication } from './broker/broker.ts';
import { queueStep, type Step, StepSpans } from './step-spans.ts';
import { isTraceable } from './traced-message.ts';

/**
 * Steps 2 and 5 with a span for each message that has a trace, dead letters among them: published, a message tells its
 * receiver that span.
 */
export function tracedPublishing(broker: Pick<Broker, 'publish'>, spans: Spans): Pick<Broker, 'publish'> {
  const steps = new Map<string, Step>();
  const stepOf = (queue: string) => {
    const step = steps.get(queue) ?? queueStep('publish', queue);
    steps.set(queue, step);
    return step;
  };
  return {
    publish: async (publications) => {
      const begun = [...Map.groupBy(publications, ({ queue }) => queue)].map(([queue, same]) =>
        begin(spans, stepOf(queue), same),
      );
      try {
        await broker.publish(publications);
      } catch (error) {
        for (const one of begun) {
          one.step.fail(error);
          one.restore();
        }
        throw error;
      }
      for (const { step, messages } of begun)
        step.end((index) => ({ 'tillbox.order.id': messages[index]?.subject ?? '' }));
    },
  };
}

function begin(spans: Spans, form: Step, publications: readonly Publication[]) {
  const messages = publications.flatMap(({ data }) => data.messages.filter(isTraceable));
  const traceparents = messages.map(({ traceparent }) => traceparent);
  const step = new StepSpans(spans, form, traceparents);
  // The messages are the relay's own, read from the outbox for this one try, and another in place of it.
  messages.forEach((message, index) => {
    message.traceparent = step.traceparent(index) ?? message.traceparent;
  });
  /** What has failed is no span to go on from, should the same messages be published in another form. */
  const restore = () => {
    messages.forEach((message, index) => {
      message.traceparent = traceparents[index] ?? message.traceparent;
    });
  };
  return { step, messages, restore };
}
