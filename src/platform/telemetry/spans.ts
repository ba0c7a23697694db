import type { Attributes, SpanContext, TraceState } from '@opentelemetry/api';
import type { Resource } from '@opentelemetry/resources';
import type { IdGenerator } from '@opentelemetry/sdk-trace';
import type { Sampling } from './sampling.ts';
import { type SpanForm, SpanRecord } from './span-record.ts';
import { formatTraceparent, parseTraceparent, type TraceContext } from './trace-context.ts';

/** A span that has begun. */
export interface OpenSpan {
  /** What is told to whoever goes on: the header `traceparent`; undefined when there is no trace. */
  readonly traceparent: string | undefined;
  /** What it is recorded under; undefined when it is not. */
  readonly context: SpanContext | undefined;
  /** The span it is a child of; undefined when it begins a trace. */
  readonly parentSpanId: string | undefined;
  /** Unix time in milliseconds. */
  readonly startMs: number;
}

/** How a span ended. */
export interface SpanEnd {
  /** What it has beyond what all of its form have. */
  attributes?: Attributes;
  /** Why it failed. */
  error?: unknown;
  /** Unix time in milliseconds; now when left out. */
  endMs?: number;
}

/** Where the clocks of process and machine are told apart: less is how exactly they can be read. */
const clockMsMax = 50;
const sampledFlag = 1;
const none = Object.freeze({});
const untraced: OpenSpan = Object.freeze({
  traceparent: undefined,
  context: undefined,
  parentSpanId: undefined,
  startMs: 0,
});

/**
 * Begins and ends the spans of one daemon. It makes OpenTelemetry's records itself, and leaves to the SDK what comes
 * after: queue and export. The SDK's own tracer wants a context object and a clock for each span; here a batch has one
 * time, and a header is all that goes from step to step.
 */
export class Spans {
  readonly #add: (record: SpanRecord) => void;
  readonly #sampling: Sampling;
  readonly #ids: IdGenerator;
  readonly #resource: Resource;
  readonly #stateIn: (header: string) => TraceState;
  readonly #linksMax: number;
  /** Unix time at performance.now() 0. */
  #originMs = Date.now() - performance.now();

  constructor(options: {
    /** Takes a span that has ended. */
    add: (record: SpanRecord) => void;
    sampling: Sampling;
    ids: IdGenerator;
    resource: Resource;
    /** Reads the header `tracestate`. */
    stateIn: (header: string) => TraceState;
    /** Links a span has at most. */
    linksMax: number;
  }) {
    this.#add = options.add;
    this.#sampling = options.sampling;
    this.#ids = options.ids;
    this.#resource = options.resource;
    this.#stateIn = options.stateIn;
    this.#linksMax = options.linksMax;
  }

  /** Unix time in milliseconds, with fractions. The process's own clock does not follow corrections of the machine's. */
  now(): number {
    const wallMs = Date.now();
    const nowMs = this.#originMs + performance.now();
    if (Math.abs(wallMs - nowMs) < clockMsMax) return nowMs;
    this.#originMs = wallMs - performance.now();
    return wallMs;
  }

  /**
   * Begins a span within what the header tells, or a trace where there is none or it is malformed. A trace that is not
   * to be recorded is not even begun: nobody need carry it on.
   * @param tracestate what other systems have written about the trace
   */
  begin(header: string | undefined, startMs: number, tracestate?: string): OpenSpan {
    const from = parseTraceparent(header);
    if (from !== undefined) {
      const sampled = this.#sampling.samplesOfClient(from.traceId, from.sampled);
      return this.#child(header as string, from, sampled, startMs, tracestate);
    }
    const traceId = this.#ids.generateTraceId();
    if (!this.#sampling.samples(traceId, undefined)) return untraced;
    return this.#open(traceId, undefined, startMs);
  }

  /** Begins a span within what the header tells; where there is none, there is no trace. */
  goOn(header: string | undefined, startMs: number, tracestate?: string): OpenSpan {
    if (header === undefined) return untraced;
    const from = parseTraceparent(header);
    if (from === undefined) return untraced;
    const sampled = this.#sampling.samples(from.traceId, from.sampled);
    return this.#child(header, from, sampled, startMs, tracestate);
  }

  /** One that is not recorded goes on under the header that came. */
  #child(
    header: string,
    from: TraceContext,
    sampled: boolean,
    startMs: number,
    tracestate?: string,
  ): OpenSpan {
    if (sampled) return this.#open(from.traceId, from.spanId, startMs, tracestate);
    const traceparent = from.sampled ? formatTraceparent({ ...from, sampled }) : header;
    return { ...untraced, traceparent };
  }

  #open(traceId: string, parentSpanId: string | undefined, startMs: number, tracestate?: string): OpenSpan {
    const spanId = this.#ids.generateSpanId();
    const context: SpanContext = { traceId, spanId, traceFlags: sampledFlag };
    if (tracestate) context.traceState = this.#stateIn(tracestate);
    const traceparent = formatTraceparent({ traceId, spanId, sampled: true });
    return { traceparent, context, parentSpanId, startMs };
  }

  /** Ends a span. Nothing happens when it is not recorded. */
  end({ context, parentSpanId, startMs }: OpenSpan, form: SpanForm, ended: SpanEnd): void {
    if (context !== undefined) this.#add(this.#record({ form, context, parentSpanId, startMs }, ended));
  }

  /**
   * One span, in a trace of its own, for what was done for several together, with a link to each (the first ones of
   * very many). Not when there is nothing to join: fewer than two of them are recorded.
   */
  join(contexts: readonly SpanContext[], startMs: number, form: SpanForm, ended: SpanEnd): void {
    if (contexts.length < 2) return;
    const [traceId, spanId] = [this.#ids.generateTraceId(), this.#ids.generateSpanId()];
    const context = { traceId, spanId, traceFlags: sampledFlag };
    const record = this.#record({ form, context, parentSpanId: undefined, startMs }, ended);
    record.links = contexts.slice(0, this.#linksMax).map((linked) => ({ context: linked }));
    record.droppedLinksCount = contexts.length - record.links.length;
    this.#add(record);
  }

  #record(
    begun: { form: SpanForm; context: SpanContext; parentSpanId: string | undefined; startMs: number },
    { attributes = none, error, endMs = this.now() }: SpanEnd,
  ): SpanRecord {
    return new SpanRecord({ ...begun, endMs, attributes, error, resource: this.#resource });
  }
}

/** What a header tells, as a link has it; undefined where it is not recorded. */
export function recordedContextIn(header: string | undefined): SpanContext | undefined {
  const context = parseTraceparent(header);
  if (!context?.sampled) return undefined;
  return { traceId: context.traceId, spanId: context.spanId, traceFlags: sampledFlag };
}
