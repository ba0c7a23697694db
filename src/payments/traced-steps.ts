import type { Delivery } from '../messaging/broker/broker.ts';
import { messageId } from '../messaging/messages.ts';
import { decideStep, type Outcome, queueStep, StepSpans } from '../messaging/step-spans.ts';
import { handleTraced } from '../messaging/traced-deliveries.ts';
import type { Spans } from '../platform/telemetry/spans.ts';
import type { Verdicts } from './decisions.ts';
import type { InboxRequest } from './inbox-store.ts';
import type { Received } from './receive-requests.ts';

const receiveStep = queueStep('receive', 'payment-requests');

/** Step 3 with a span for each request, which the inbox keeps to go on from. */
export function receiveTraced(
  spans: Spans,
  deliveries: readonly Delivery[],
  receive: (deliveries: readonly Delivery[]) => Promise<Received>,
): Promise<Received> {
  const copies = Map.groupBy(deliveries, ({ message }) => (message as { subject?: unknown } | null)?.subject);
  return handleTraced({ spans, step: receiveStep }, deliveries, receive, ({ counts }, orderId, isCopy) => {
    const count = counts.get(messageId(orderId, 'payment.requested.v1')) ?? 0;
    const isFirst = !isCopy && count <= (copies.get(orderId)?.length ?? 1);
    return isFirst ? {} : { 'tillbox.duplicate': true };
  });
}

/** The spans of one pass of step 4, one for each request, which its result goes on from. */
export class DecisionTrace {
  readonly #spans: Spans;
  #step: StepSpans | undefined;
  #requests: readonly InboxRequest[] = [];
  #verdicts: Verdicts<InboxRequest> | undefined;

  constructor(spans: Spans) {
    this.#spans = spans;
  }

  /** Begins them anew: a pass may have to start again. Answers the requests as they go on. */
  begin(requests: readonly InboxRequest[]): InboxRequest[] {
    const step = new StepSpans(
      this.#spans,
      decideStep,
      requests.map(({ traceparent }) => traceparent),
    );
    this.#step = step;
    this.#requests = requests;
    return requests.map((request, index) => ({ ...request, traceparent: step.traceparent(index) }));
  }

  /** What was decided, and is yet to be committed. */
  decided(verdicts: Verdicts<InboxRequest>): void {
    this.#verdicts = verdicts;
  }

  /** It is committed. */
  end(): void {
    const { decisions = [], results = [] } = this.#verdicts ?? {};
    const fresh = new Map(decisions.map((decision) => [decision.orderId, decision]));
    const answers = new Map(results.map((result) => [result.orderId, result]));
    const step = this.#step;
    this.#step = undefined;
    step?.end((index): Outcome => {
      const { orderId } = this.#requests[index] as InboxRequest;
      const id = { 'tillbox.order.id': orderId };
      const answer = answers.get(orderId);
      if (answer === undefined) return { ...id, 'tillbox.dead_letter': 'contradicts-decision' };
      const outcome =
        answer.type === 'payment.succeeded.v1'
          ? { 'tillbox.payment.outcome': 'paid' }
          : { 'tillbox.payment.outcome': 'failed', 'tillbox.payment.reason': answer.reason };
      return fresh.has(orderId) ? { ...id, ...outcome } : { ...id, ...outcome, 'tillbox.duplicate': true };
    });
  }

  fail(error: unknown): void {
    this.#step?.fail(error);
    this.#step = undefined;
  }
}
