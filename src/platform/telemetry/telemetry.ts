import type { Meter } from '@opentelemetry/api';
import type { Resource } from '@opentelemetry/resources';
import type { Logger } from '../logging.ts';
import { redactUrlsIn } from '../secrets.ts';
import { type MetricsConfig, openMetrics } from './metrics.ts';
import type { Spans } from './spans.ts';
import { openTraces } from './traces.ts';
import type { TracesConfig } from './traces-config.ts';

/** What of one daemon can be seen from outside, while it lives. */
export interface Telemetry {
  /** Undefined when nobody asks for metrics. */
  meter: Meter | undefined;
  /** Undefined when nobody asks for traces. */
  spans: Spans | undefined;
  /** The metrics endpoint's, such as http://127.0.0.1:7460/metrics; undefined without one. */
  url: string | undefined;
  /** Sends what was not sent yet, and closes the endpoint. May be called twice. */
  stop(): Promise<void>;
}

/**
 * Switches metrics and traces on, as configured; undefined when neither is wanted, and then no SDK is even loaded.
 * Throws `conflict` when the port of the metrics is taken.
 */
export async function openTelemetry(options: {
  service: string;
  instance: string;
  metrics: MetricsConfig;
  traces: TracesConfig;
  log: Logger;
}): Promise<Telemetry | undefined> {
  const { service, instance, metrics, traces, log } = options;
  const wantsMetrics = metrics.port !== undefined || metrics.otlp;
  if (!wantsMetrics && !traces.otlp) return undefined;
  const resource = await resourceOf(`tillbox-${service}`, instance);
  await tellTroubles(log);
  const measured = wantsMetrics ? await openMetrics(metrics, resource, log) : undefined;
  const failed = (error: unknown) => log.warn({ err: error }, 'the last spans were not sent');
  const traced = traces.otlp ? await openTraces(traces, resource, { failed }) : undefined;
  let stopped: Promise<unknown> | undefined;
  return {
    meter: measured?.meter,
    spans: traced?.spans,
    url: measured?.url,
    stop: async () => {
      stopped ??= Promise.all([measured?.stop(), traced?.stop()]);
      await stopped;
    },
  };
}

/** Who it is that tells, unless OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say otherwise. */
export async function resourceOf(service: string, instance?: string): Promise<Resource> {
  const { defaultResource, detectResources, envDetector, resourceFromAttributes } = await import(
    '@opentelemetry/resources'
  );
  const own = resourceFromAttributes({
    'service.name': service,
    ...(instance === undefined ? {} : { 'service.instance.id': instance }),
  });
  return defaultResource()
    .merge(own)
    .merge(detectResources({ detectors: [envDetector] }));
}

const complaintIntervalMs = 60_000;

/** What the SDK complains of goes into the log, once in a while: a collector that is away makes every sending fail. */
async function tellTroubles(log: Logger): Promise<void> {
  const { diag, DiagLogLevel } = await import('@opentelemetry/api');
  let complainedAt = Number.NEGATIVE_INFINITY;
  const complain = (text: string) => {
    if (performance.now() - complainedAt < complaintIntervalMs) return;
    complainedAt = performance.now();
    log.warn({ trouble: redactUrlsIn(troubleIn(text)) }, 'telemetry is not sent, or not all of it');
  };
  const silent = () => {};
  diag.setLogger(
    { error: complain, warn: complain, info: silent, debug: silent, verbose: silent },
    { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
  );
}

/** Errors come as JSON, with a stack and what the collector answered: their message is enough. */
function troubleIn(text: string): string {
  try {
    const { message, code } = JSON.parse(text) as { message?: unknown; code?: unknown };
    return [message, code].filter((part) => part !== undefined && part !== '').join(' ');
  } catch {
    return text;
  }
}
