import type { Attributes } from '@opentelemetry/api';
import type { OpenSpan, SpanEnd, Spans } from '../platform/telemetry/spans.ts';

/**
 * Where the traces of orders get their spans: each step of an order is one, in the order's own trace, child of the
 * step before; what a batch did for several at once is one more, in a trace of its own, with a link to each of them.
 */

/** What a step's spans are called, and how they stand to others. */
export type Step = Pick<SpanEnd, 'name' | 'kind' | 'attributes'>;

export const createStep: Step = { name: 'create order', kind: 'internal', attributes: {} };
export const decideStep: Step = { name: 'decide payment', kind: 'internal', attributes: {} };

/** A step at a queue, named as OpenTelemetry's conventions for messaging have it. */
export function queueStep(operation: 'publish' | 'receive' | 'settle', queue: string): Step {
  const sends = operation === 'publish';
  return {
    name: `${operation} ${queue}`,
    kind: sends ? 'producer' : 'consumer',
    attributes: {
      'messaging.system': 'pg-boss',
      'messaging.destination.name': queue,
      'messaging.operation.name': operation,
      'messaging.operation.type': sends ? 'send' : 'process',
    },
  };
}

/** What came of a step for one order, as attributes of its span. */
export type Outcome = Attributes;

/** The spans of one step for the orders of a batch: begun together, ended together. */
export class StepSpans {
  readonly #spans: Spans;
  readonly #step: Step;
  readonly #startMs: number;
  readonly #open: OpenSpan[];

  /** Begins them, each within what the header of its order tells; a trace of its own where there is none. */
  constructor(spans: Spans, step: Step, traceparents: readonly (string | undefined)[]) {
    this.#spans = spans;
    this.#step = step;
    this.#startMs = spans.now();
    this.#open = traceparents.map((traceparent) => spans.begin(traceparent, this.#startMs));
  }

  /** The header that goes on with an order, by its place in the batch. */
  traceparent(index: number): string {
    return (this.#open[index] as OpenSpan).traceparent;
  }

  /** Ends them all now. `outcome` is asked for each that is recorded, by its place in the batch. */
  end(outcome: (index: number) => Outcome): void {
    const { name, kind, attributes } = this.#step;
    const endMs = this.#spans.now();
    const size = this.#open.length;
    const batch = size === 1 ? undefined : { 'tillbox.batch.size': size };
    this.#open.forEach((span, index) => {
      if (span.context === undefined) return;
      this.#spans.end(span, {
        name,
        kind,
        attributes: { ...attributes, ...outcome(index), ...batch },
        endMs,
      });
    });
    this.#join({ endMs });
  }

  /** Ends them as failed: one alone by itself, several by the span that joins them. */
  fail(error: unknown): void {
    const [span] = this.#open;
    if (this.#open.length === 1 && span !== undefined) this.#spans.end(span, { ...this.#step, error });
    else this.#join({ error });
  }

  #join(ended: Pick<SpanEnd, 'endMs' | 'error'>): void {
    const { name, kind, attributes } = this.#step;
    const size = this.#open.length;
    const batch =
      kind === 'internal' ? { 'tillbox.batch.size': size } : { 'messaging.batch.message_count': size };
    const contexts = this.#open.flatMap(({ context }) => (context === undefined ? [] : [context]));
    this.#spans.join(contexts, this.#startMs, {
      name: `${name} batch`,
      // No message goes on from it: it is one call to what is behind.
      kind: kind === 'internal' ? 'internal' : 'client',
      attributes: { ...attributes, ...batch },
      ...ended,
    });
  }
}
