import type { Attributes, SpanContext } from '@opentelemetry/api';
import type { SpanForm } from '../platform/telemetry/span-record.ts';
import type { OpenSpan, SpanEnd, Spans } from '../platform/telemetry/spans.ts';

/**
 * Where the traces of orders get their spans: each step of an order is one, in the order's own trace, child of the
 * step before; what a batch did for several at once is one more, in a trace of its own, with a link to each of them.
 */

/** What the spans of a step are like: of each order, and of a batch. */
export interface Step {
  order: SpanForm;
  batch: SpanForm;
}

export const createStep = internalStep('create order');
export const decideStep = internalStep('decide payment');

function internalStep(name: string): Step {
  const form = { kind: 'internal', attributes: {} } as const;
  return { order: { ...form, name }, batch: { ...form, name: `${name} batch` } };
}

/** A step at a queue, named as OpenTelemetry's conventions for messaging have it. */
export function queueStep(operation: 'publish' | 'receive' | 'settle', queue: string): Step {
  const sends = operation === 'publish';
  const name = `${operation} ${queue}`;
  const attributes = {
    'messaging.system': 'pg-boss',
    'messaging.destination.name': queue,
    'messaging.operation.name': operation,
    'messaging.operation.type': sends ? 'send' : 'process',
  };
  return {
    order: { name, kind: sends ? 'producer' : 'consumer', attributes },
    // No message goes on from it: it is one call to what is behind.
    batch: { name: `${name} batch`, kind: 'client', attributes },
  };
}

/** What came of a step for one order, as attributes of its span. Not to be shared: its span keeps it. */
export type Outcome = Attributes;

/** The spans of one step for the orders of a batch: begun together, ended together. */
export class StepSpans {
  readonly #spans: Spans;
  readonly #step: Step;
  readonly #startMs: number;
  readonly #open: OpenSpan[];
  /** Whether any of them is. */
  readonly recorded: boolean;

  /** Begins them, each within what the header of its order tells; none where there is no header. */
  constructor(spans: Spans, step: Step, traceparents: readonly (string | undefined)[]) {
    this.#spans = spans;
    this.#step = step;
    this.#startMs = spans.now();
    this.#open = traceparents.map((traceparent) => spans.goOn(traceparent, this.#startMs));
    this.recorded = this.#open.some(({ context }) => context !== undefined);
  }

  /** The header that goes on with an order, by its place in the batch; undefined for one that has no trace. */
  traceparent(index: number): string | undefined {
    return (this.#open[index] as OpenSpan).traceparent;
  }

  /** Ends them all now. `outcome` is asked for each that is recorded, by its place in the batch. */
  end(outcome: (index: number) => Outcome): void {
    if (!this.recorded) return;
    const endMs = this.#spans.now();
    const size = this.#open.length;
    this.#open.forEach((span, index) => {
      if (span.context === undefined) return;
      const attributes = outcome(index);
      if (size > 1) attributes['tillbox.batch.size'] = size;
      this.#spans.end(span, this.#step.order, { attributes, endMs });
    });
    this.#join(
      this.#open.flatMap(({ context }) => context ?? []),
      { endMs },
    );
  }

  /**
   * Ends them as failed: one alone by itself, several by the span that joins them. Theirs are then never recorded: what
   * it links to is what each order came with.
   */
  fail(error: unknown): void {
    const [span] = this.#open;
    if (this.#open.length === 1 && span !== undefined) this.#spans.end(span, this.#step.order, { error });
    else this.#join(this.#open.flatMap(parentOf), { error });
  }

  #join(linked: readonly SpanContext[], ended: Pick<SpanEnd, 'endMs' | 'error'>): void {
    const size = this.#open.length;
    const { batch } = this.#step;
    const attributes =
      batch.kind === 'client' ? { 'messaging.batch.message_count': size } : { 'tillbox.batch.size': size };
    this.#spans.join(linked, this.#startMs, batch, { attributes, ...ended });
  }
}

/** The span that a recorded one is a child of. */
function parentOf({ context, parentSpanId }: OpenSpan): SpanContext[] {
  return context === undefined || parentSpanId === undefined ? [] : [{ ...context, spanId: parentSpanId }];
}
