import type { Attributes, HrTime, Link, SpanContext, SpanKind, SpanStatus } from '@opentelemetry/api';
import type { Resource } from '@opentelemetry/resources';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';

/** How a span stands to others, as OpenTelemetry counts it. */
const kinds = { internal: 0, server: 1, client: 2, producer: 3, consumer: 4 } as const satisfies Record<
  string,
  SpanKind
>;

/** What all spans of a kind have in common. */
export interface SpanForm {
  readonly name: string;
  readonly kind: keyof typeof kinds;
  readonly attributes: Attributes;
}

/** What makes a span differ from others of its form. */
interface Particulars {
  form: SpanForm;
  context: SpanContext;
  parentSpanId: string | undefined;
  /** Unix times in milliseconds. */
  startMs: number;
  endMs: number;
  attributes: Attributes;
  error: unknown;
  resource: Resource;
}

const scope = { name: 'tillbox' };
const statusUnset: SpanStatus = { code: 0 };
const none: never[] = [];

/**
 * A span that has ended, as OpenTelemetry's SDK has it in its queue. It keeps what it was given and puts the rest
 * together when it is read: thousands wait at a time, most for a second.
 */
export class SpanRecord implements Omit<ReadableSpan, 'parentSpanContext'> {
  readonly form: SpanForm;
  readonly context: SpanContext;
  readonly parentSpanId: string | undefined;
  readonly startMs: number;
  readonly endMs: number;
  /** Beyond those of the form. */
  readonly ownAttributes: Attributes;
  readonly status: SpanStatus;
  readonly resource: Resource;
  links: Link[] = none;
  droppedLinksCount = 0;

  constructor({ form, context, parentSpanId, startMs, endMs, attributes, error, resource }: Particulars) {
    this.resource = resource;
    this.form = form;
    this.context = context;
    this.parentSpanId = parentSpanId;
    this.startMs = startMs;
    this.endMs = Math.max(startMs, endMs);
    this.ownAttributes = attributes;
    this.status = error === undefined ? statusUnset : { code: 2, message: whyOf(error) };
  }

  spanContext(): SpanContext {
    return this.context;
  }
  get name(): string {
    return this.form.name;
  }
  get kind(): SpanKind {
    return kinds[this.form.kind];
  }
  get attributes(): Attributes {
    return { ...this.form.attributes, ...this.ownAttributes };
  }
  get parentSpanContext(): SpanContext | undefined {
    return this.parentSpanId === undefined
      ? undefined
      : { ...this.context, spanId: this.parentSpanId, isRemote: true };
  }
  get startTime(): HrTime {
    return hrTime(this.startMs);
  }
  get endTime(): HrTime {
    return hrTime(this.endMs);
  }
  get duration(): HrTime {
    return hrTime(this.endMs - this.startMs);
  }
  get events(): never[] {
    return none;
  }
  get ended(): true {
    return true;
  }
  get instrumentationScope() {
    return scope;
  }
  get droppedAttributesCount(): number {
    return 0;
  }
  get droppedEventsCount(): number {
    return 0;
  }
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
