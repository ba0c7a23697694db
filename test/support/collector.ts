import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A span as a collector gets it, without what nobody asks for. */
export interface CollectedSpan {
  service: string;
  instance: string | undefined;
  name: string;
  kind: string;
  traceId: string;
  spanId: string;
  parentSpanId: string | undefined;
  traceState: string | undefined;
  attributes: Record<string, unknown>;
  /** Trace and span of each link. */
  links: { traceId: string; spanId: string }[];
  droppedLinks: number;
  error: string | undefined;
  /** Unix time in nanoseconds. */
  start: bigint;
  end: bigint;
}

const kinds = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'];

interface OtlpAttribute {
  key: string;
  value: Record<string, unknown>;
}
interface OtlpSpan {
  name: string;
  kind: number;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  traceState?: string;
  attributes: OtlpAttribute[];
  links?: { traceId: string; spanId: string }[];
  droppedLinksCount?: number;
  status?: { code: number; message?: string };
  startTimeUnixNano: string;
  endTimeUnixNano: string;
}
interface OtlpRequest {
  resourceSpans: { resource: { attributes: OtlpAttribute[] }; scopeSpans: { spans: OtlpSpan[] }[] }[];
}

/** An OpenTelemetry collector in memory: takes OTLP as JSON, and keeps the spans. */
export class Collector {
  readonly spans: CollectedSpan[] = [];
  /** Paths asked so far. */
  readonly requests: string[] = [];
  readonly #server: Server;

  constructor() {
    this.#server = createServer(async (request, response) => {
      const parts: Buffer[] = [];
      for await (const part of request) parts.push(part as Buffer);
      this.requests.push(request.url ?? '');
      if (request.url === '/v1/traces') {
        const { resourceSpans } = JSON.parse(Buffer.concat(parts).toString()) as OtlpRequest;
        for (const { resource, scopeSpans } of resourceSpans)
          for (const { spans } of scopeSpans) this.spans.push(...spans.map((span) => toSpan(span, resource)));
      }
      response.setHeader('content-type', 'application/json').end('{}');
    });
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** The spans of a trace. */
  of(traceId: string): CollectedSpan[] {
    return this.spans.filter((span) => span.traceId === traceId);
  }

  /** A trace as lines, children in order of time below and to the right of their parent: `service kind name {…}`. */
  tree(traceId: string): string[] {
    const spans = this.of(traceId).sort((one, other) => Number(one.start - other.start));
    const ids = new Set(spans.map(({ spanId }) => spanId));
    const under = (parentSpanId: string | undefined, depth: number): string[] =>
      spans
        .filter((span) =>
          depth === 0 ? !ids.has(span.parentSpanId ?? '') : span.parentSpanId === parentSpanId,
        )
        .flatMap((span) => [`${'  '.repeat(depth)}${lineOf(span)}`, ...under(span.spanId, depth + 1)]);
    return under(undefined, 0);
  }
}

function lineOf({ service, kind, name, attributes }: CollectedSpan): string {
  const told = Object.entries(attributes).filter(
    ([key]) => key.startsWith('tillbox.') && key !== 'tillbox.order.id',
  );
  return [`${service} ${kind} ${name}`, ...told.map(([key, value]) => `${key.slice(8)}=${value}`)].join(' ');
}

function toSpan(span: OtlpSpan, resource: { attributes: OtlpAttribute[] }): CollectedSpan {
  const about = attributesOf(resource.attributes);
  return {
    service: String(about['service.name']),
    instance: about['service.instance.id'] as string | undefined,
    name: span.name,
    kind: kinds[span.kind] ?? String(span.kind),
    traceId: span.traceId,
    spanId: span.spanId,
    parentSpanId: span.parentSpanId || undefined,
    traceState: span.traceState || undefined,
    attributes: attributesOf(span.attributes),
    links: (span.links ?? []).map(({ traceId, spanId }) => ({ traceId, spanId })),
    droppedLinks: span.droppedLinksCount ?? 0,
    error: span.status?.code === 2 ? (span.status.message ?? '') : undefined,
    start: BigInt(span.startTimeUnixNano),
    end: BigInt(span.endTimeUnixNano),
  };
}

function attributesOf(attributes: OtlpAttribute[]): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
}
