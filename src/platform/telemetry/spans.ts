import type { Attributes, HrTime, Link, SpanContext, SpanKind, TraceState } from '@opentelemetry/api';
import type { Resource } from '@opentelemetry/resources';
import type { IdGenerator, ReadableSpan, SpanProcessor } from '@opentelemetry/sdk-trace';
import type { Sampling } from './sampling.ts';
import { formatTraceparent, parseTraceparent, type TraceContext } from './trace-context.ts';

/** How a span stands to others, as OpenTelemetry counts it. */
const kinds = { internal: 0, server: 1, client: 2, producer: 3, consumer: 4 } as const satisfies Record<
  string,
  SpanKind
>;

/** A span that has begun. */
export interface OpenSpan {
  /** What is told to whoever goes on: the header `traceparent`. */
  readonly traceparent: string;
  /** What it is recorded under; undefined when it is not. */
  readonly context: SpanContext | undefined;
  readonly parent: SpanContext | undefined;
  /** Unix time in milliseconds. */
  readonly startMs: number;
}

/** What is said of a span when it has ended. */
export interface SpanEnd {
  name: string;
  kind: keyof typeof kinds;
  attributes: Attributes;
  /** Why it failed. */
  error?: unknown;
  /** Unix time in milliseconds; now when left out. */
  endMs?: number;
}

/** Where the clocks of process and machine are told apart: less is how exactly they can be read. */
const clockMsMax = 50;
const sampledFlag = 1;
const statusOk = { code: 0 } as const;
const none: never[] = [];

/**
 * Begins and ends the spans of one daemon. It writes OpenTelemetry's records itself, and leaves to the SDK what comes
 * after: queue, export. The SDK's own tracer wants a context and a clock for each span; here a batch has one time, and
 * a header is all that goes from step to step, which makes a span three times as cheap.
 */
export class Spans {
  readonly #processor: Pick<SpanProcessor, 'onEnd'>;
  readonly #sampling: Sampling;
  readonly #ids: IdGenerator;
  readonly #resource: Resource;
  readonly #stateIn: (header: string) => TraceState;
  readonly #linksMax: number;
  /** Unix time at performance.now() 0. */
  #originMs = Date.now() - performance.now();

  constructor(options: {
    processor: Pick<SpanProcessor, 'onEnd'>;
    sampling: Sampling;
    ids: IdGenerator;
    resource: Resource;
    /** Reads the header `tracestate`. */
    stateIn: (header: string) => TraceState;
    /** Links a span has at most. */
    linksMax: number;
  }) {
    this.#processor = options.processor;
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
   * Begins a span within what the header tells, or a trace of its own where there is none or it is malformed. One that
   * is not recorded costs no more than that.
   * @param tracestate what other systems have written about the trace
   */
  begin(header: string | undefined, startMs: number, tracestate?: string): OpenSpan {
    const from = parseTraceparent(header);
    const traceId = from?.traceId ?? this.#ids.generateTraceId();
    const sampled = this.#sampling.samples(traceId, from?.sampled, performance.now());
    if (!sampled && from?.sampled === false) {
      return { traceparent: header as string, context: undefined, parent: undefined, startMs };
    }
    const spanId = this.#ids.generateSpanId();
    const traceparent = formatTraceparent({ traceId, spanId, sampled });
    if (!sampled) return { traceparent, context: undefined, parent: undefined, startMs };
    const state = from && tracestate ? { traceState: this.#stateIn(tracestate) } : {};
    return {
      traceparent,
      context: { traceId, spanId, traceFlags: sampledFlag, ...state },
      parent: from && { ...contextOf(from), isRemote: true, ...state },
      startMs,
    };
  }

  /** Ends a span. Nothing happens when it is not recorded. */
  end(span: OpenSpan, ended: SpanEnd): void {
    if (span.context !== undefined) this.#write(span, span.context, ended, none, 0);
  }

  /**
   * One span, in a trace of its own, for what was done for several together, with a link to each (the first ones of
   * very many). Not when there is nothing to join: fewer than two of them are recorded.
   */
  join(contexts: readonly SpanContext[], startMs: number, ended: SpanEnd): void {
    if (contexts.length < 2) return;
    const links = contexts.slice(0, this.#linksMax).map((context): Link => ({ context }));
    const [traceId, spanId] = [this.#ids.generateTraceId(), this.#ids.generateSpanId()];
    const context = { traceId, spanId, traceFlags: sampledFlag };
    this.#write({ parent: undefined, startMs }, context, ended, links, contexts.length - links.length);
  }

  #write(
    { parent, startMs }: Pick<OpenSpan, 'parent' | 'startMs'>,
    context: SpanContext,
    { name, kind, attributes, error, endMs = this.now() }: SpanEnd,
    links: Link[],
    droppedLinksCount: number,
  ): void {
    const record: ReadableSpan = {
      name,
      kind: kinds[kind],
      spanContext: () => context,
      ...(parent === undefined ? {} : { parentSpanContext: parent }),
      startTime: hrTime(startMs),
      endTime: hrTime(Math.max(startMs, endMs)),
      duration: hrTime(Math.max(0, endMs - startMs)),
      status: error === undefined ? statusOk : { code: 2, message: whyOf(error) },
      attributes,
      links,
      events: none,
      ended: true,
      resource: this.#resource,
      instrumentationScope: scope,
      droppedAttributesCount: 0,
      droppedEventsCount: 0,
      droppedLinksCount,
    };
    this.#processor.onEnd(record);
  }
}

const scope = { name: 'tillbox' };

/** What a header tells, as a link has it; undefined where it is not recorded. */
export function recordedContextIn(header: string | undefined): SpanContext | undefined {
  const context = parseTraceparent(header);
  return context?.sampled ? contextOf(context) : undefined;
}

function contextOf({ traceId, spanId, sampled }: TraceContext): SpanContext {
  return { traceId, spanId, traceFlags: sampled ? sampledFlag : 0 };
}

/** Seconds and nanoseconds, as OpenTelemetry keeps time. */
function hrTime(ms: number): HrTime {
  const seconds = Math.floor(ms / 1_000);
  return [seconds, Math.round((ms - seconds * 1_000) * 1e6)];
}

/** An error's code if it has one, for its message may name what is nobody's business. */
function whyOf(error: unknown): string {
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown };
  return String(code ?? name ?? 'error');
}
