import type { Resource } from '@opentelemetry/resources';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import { OtlpJsonWriter } from './otlp-json.ts';
import { Sampling } from './sampling.ts';
import type { SpanRecord } from './span-record.ts';
import { Spans } from './spans.ts';
import type { TracesConfig } from './traces-config.ts';

/** A collector that hangs must not keep a daemon from its end. */
const stopMsMax = 2_000;

/**
 * Records spans, for the collector. Loads the SDK.
 * @param options.failed told when the last ones could not be sent
 * @param options.sendMsMax longest time to send some; as OTEL_EXPORTER_OTLP_TIMEOUT says (10 s) when left out
 */
export async function openTraces(
  traces: TracesConfig,
  resource: Resource,
  { failed, sendMsMax }: { failed: (error: unknown) => void; sendMsMax?: number },
): Promise<{ spans: Spans; stop(): Promise<void> }> {
  const [{ createTraceState }, { BatchSpanProcessor, RandomIdGenerator }] = await Promise.all([
    import('@opentelemetry/api'),
    import('@opentelemetry/sdk-trace'),
  ]);
  const processor = new BatchSpanProcessor({
    exporter: await collectorExporter(resource, sendMsMax),
    maxQueueSize: traces.queueMax,
    maxExportBatchSize: traces.batchMax,
    scheduledDelayMillis: traces.delayMs,
    exportTimeoutMillis: 10_000,
  });
  const spans = new Spans({
    // A span that begins a trace has no parent, which a getter can only say as undefined.
    add: (record) => processor.onEnd(record as ReadableSpan),
    sampling: new Sampling(traces),
    ids: new RandomIdGenerator(),
    resource,
    stateIn: createTraceState,
    linksMax: traces.linksMax,
  });
  return {
    spans,
    stop: async () => {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<never>((_resolve, reject) => {
        timer = setTimeout(() => reject(new Error('the collector took too long')), stopMsMax);
      });
      await Promise.race([processor.shutdown(), late]).catch(failed);
      clearTimeout(timer);
    },
  };
}

/** OpenTelemetry's exporter of spans over HTTP, as it is put together there, but for who writes the JSON. */
async function collectorExporter(resource: Resource, sendMsMax: number | undefined) {
  const [base, http, transformer] = await Promise.all([
    import('@opentelemetry/otlp-exporter-base'),
    import('@opentelemetry/otlp-exporter-base/node-http'),
    import('@opentelemetry/otlp-transformer'),
  ]);
  const writer = new OtlpJsonWriter(resource);
  const options = http.convertLegacyHttpOptions(
    sendMsMax === undefined ? {} : { timeoutMillis: sendMsMax },
    'TRACES',
    'v1/traces',
    { 'Content-Type': 'application/json' },
  );
  const serializer = {
    ...transformer.JsonTraceSerializer,
    // There are no others: `Spans` makes them all.
    serializeRequest: (spans: ReadableSpan[]) => writer.write(spans as SpanRecord[]),
  };
  const kind = 'otlp_http_span_exporter';
  return new base.OTLPExporterBase(
    http.createOtlpHttpExportDelegate(
      options,
      serializer,
      kind,
      transformer.TraceExporterMetricsHelper,
      undefined,
    ),
  );
}
