import type { Delivery } from '../messaging/broker/broker.ts';
import { messageId } from '../messaging/messages.ts';
import { decideStep, type Outcome, queueStep, StepSpans } from '../messaging/step-spans.ts';
import { handleTraced } from '../messaging/traced-deliveries.ts';
import { isTraceable } from '../messaging/traced-message.ts';
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
  const copiesOf = (orderId: string) =>
    deliveries.filter(({ message }) => isTraceable(message) && message.subject.toLowerCase() === orderId);
  return handleTraced({ spans, step: receiveStep }, deliveries, receive, ({ counts }, orderId, isCopy) => {
    const count = counts.get(messageId(orderId, 'payment.requested.v1')) ?? 0;
    return isCopy || (count > 1 && count > copiesOf(orderId).length);
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
    if (!step.recorded) return [...requests];
    return requests.map((request, index) => ({ ...request, traceparent: step.traceparent(index) }));
  }

  /** What was decided, and is yet to be committed. */
  decided(verdicts: Verdicts<InboxRequest>): void {
    this.#verdicts = verdicts;
  }

  /** It is committed. */
  end(): void {
    const step = this.#step;
    this.#step = undefined;
    if (!step?.recorded) return;
    const { decisions = [], results = [] } = this.#verdicts ?? {};
    const decided = new Set(decisions.map(({ orderId }) => orderId));
    const answers = new Map(results.map((result) => [result.orderId, result]));
    step.end((index): Outcome => {
      const { orderId } = this.#requests[index] as InboxRequest;
      const outcome: Outcome = { 'tillbox.order.id': orderId };
      const answer = answers.get(orderId);
      if (answer === undefined) outcome['tillbox.dead_letter'] = 'contradicts-decision';
      else outcome['tillbox.payment.outcome'] = answer.type === 'payment.succeeded.v1' ? 'paid' : 'failed';
      if (answer?.type === 'payment.failed.v1') outcome['tillbox.payment.reason'] = answer.reason;
      if (answer !== undefined && !decided.has(orderId)) outcome['tillbox.duplicate'] = true;
      return outcome;
    });
  }

  fail(error: unknown): void {
    this.#step?.fail(error);
    this.#step = undefined;
  }
}
