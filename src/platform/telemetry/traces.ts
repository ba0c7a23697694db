import { createTraceState } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import type { Resource } from '@opentelemetry/resources';
import { BatchSpanProcessor, RandomIdGenerator } from '@opentelemetry/sdk-trace';
import { Sampling } from './sampling.ts';
import { Spans } from './spans.ts';
import type { TracesConfig } from './traces-config.ts';

/** A collector that hangs must not keep a daemon from its end. */
const stopMsMax = 2_000;

/**
 * Records spans, for the collector. Loads the SDK: import it when traces are wanted.
 * @param options.failed told when the last ones could not be sent
 * @param options.sendMsMax longest time to send some; as OTEL_EXPORTER_OTLP_TIMEOUT says (10 s) when left out
 */
export async function openTraces(
  traces: TracesConfig,
  resource: Resource,
  { failed, sendMsMax }: { failed: (error: unknown) => void; sendMsMax?: number },
): Promise<{ spans: Spans; stop(): Promise<void> }> {
  const processor = new BatchSpanProcessor({
    exporter: new OTLPTraceExporter(sendMsMax === undefined ? {} : { timeoutMillis: sendMsMax }),
    maxQueueSize: traces.queueMax,
    maxExportBatchSize: traces.batchMax,
    scheduledDelayMillis: traces.delayMs,
    exportTimeoutMillis: 10_000,
  });
  const spans = new Spans({
    processor,
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
