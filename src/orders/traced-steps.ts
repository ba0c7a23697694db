import type { Delivery } from '../messaging/broker/broker.ts';
import { createStep, queueStep, StepSpans } from '../messaging/step-spans.ts';
import { handleTraced } from '../messaging/traced-deliveries.ts';
import { CodedError } from '../platform/errors.ts';
import type { Spans } from '../platform/telemetry/spans.ts';
import type { Created } from './create-orders.ts';
import type { OrderRequest } from './order.ts';
import type { Settled } from './settle-orders.ts';

/** What writes a batch of new orders, a result for each, in order. */
type Create = (requests: readonly OrderRequest[]) => Promise<(Created | CodedError)[]>;

/** Step 1 with a span for each order that has a trace, which its payment request goes on from. */
export function tracedCreation(spans: Spans, create: Create): Create {
  return async (requests) => {
    const step = new StepSpans(
      spans,
      createStep,
      requests.map(({ traceparent }) => traceparent),
    );
    let results: (Created | CodedError)[];
    try {
      const passed = (request: OrderRequest, index: number) => ({
        ...request,
        traceparent: step.traceparent(index),
      });
      results = await create(step.recorded ? requests.map(passed) : requests);
    } catch (error) {
      step.fail(error);
      throw error;
    }
    step.end((index) => outcomeOf(results[index] as Created | CodedError));
    return results;
  };
}

function outcomeOf(result: Created | CodedError) {
  if (result instanceof CodedError) return { 'error.type': result.code };
  const id = { 'tillbox.order.id': result.order.id };
  return result.replayed ? { ...id, 'tillbox.replayed': true } : id;
}

const settleStep = queueStep('settle', 'payment-results');

/** Step 6 with a span for each result. */
export function settleTraced(
  spans: Spans,
  deliveries: readonly Delivery[],
  settle: (deliveries: readonly Delivery[]) => Promise<Settled>,
): Promise<Settled> {
  return handleTraced(
    { spans, step: settleStep },
    deliveries,
    settle,
    ({ settled }, orderId, isCopy) => isCopy || !settled.has(orderId),
  );
}
