import type { Meter } from '@opentelemetry/api';
import type { Resource } from '@opentelemetry/resources';
import type { FastifyInstance } from 'fastify';
import { isLoopback } from '../door-config.ts';
import { CodedError } from '../errors.ts';
import { hostCheck } from '../hosts.ts';
import { createHttpServer, listen } from '../http-server.ts';
import type { Logger } from '../logging.ts';
import { observeProcess } from './process-metrics.ts';

/** Where metrics can be had: at an endpoint for Prometheus, sent to a collector, both, or nowhere. */
export interface MetricsConfig {
  host: string;
  /** Port of the endpoint, 0 for any free one; undefined for none. */
  port: number | undefined;
  /** Whether a collector is configured; where it is, the exporter reads itself from OTEL_EXPORTER_OTLP_*. */
  otlp: boolean;
  /** How often metrics are sent to the collector, in milliseconds. */
  exportMs: number;
}

/** A collector that hangs must not keep a daemon from its end. */
const stopMsMax = 2_000;

/** Measures, for the endpoint, the collector or both. Loads the SDK. */
export async function openMetrics(
  metrics: MetricsConfig,
  resource: Resource,
  log: Logger,
): Promise<{ meter: Meter; url: string | undefined; stop(): Promise<void> }> {
  const endpoint =
    metrics.port === undefined ? undefined : await prometheusEndpoint(metrics.host, metrics.port, log);
  const readers = [
    ...(endpoint === undefined ? [] : [endpoint.reader]),
    ...(metrics.otlp ? [await collectorReader(metrics.exportMs)] : []),
  ];
  const [{ MeterProvider }, { withVanishingGauges }] = await Promise.all([
    import('@opentelemetry/sdk-metrics'),
    import('./vanishing-gauges.ts'),
  ]);
  const provider = new MeterProvider({ readers: readers.map(withVanishingGauges), resource });
  const meter = provider.getMeter('tillbox');
  const unobserve = observeProcess(meter);
  if (endpoint !== undefined) log.info({ url: endpoint.url }, 'metrics listening');
  return {
    meter,
    url: endpoint?.url,
    stop: async () => {
      unobserve();
      await provider.shutdown({ timeoutMillis: stopMsMax }).catch((error: unknown) => {
        log.warn({ err: error }, 'the last metrics were not sent');
      });
      await endpoint?.close();
    },
  };
}

/** The endpoint stands on our own HTTP server, for its limits; the exporter only writes the answer. */
async function prometheusEndpoint(host: string, port: number, log: Logger) {
  const { PrometheusExporter } = await import('@opentelemetry/exporter-prometheus');
  const reader = new PrometheusExporter({
    preventServerStart: true,
    withResourceConstantLabels: /^service\.(name|instance\.id)$/,
  });
  const app = createHttpServer({ log, bodies: 'json' });
  // Whoever may reach another address may read, by whatever name.
  if (isLoopback(host)) refuseOtherHosts(app);
  app.get('/metrics', (request, reply) => {
    reply.hijack();
    reader.getMetricsRequestHandler(request.raw, reply.raw);
  });
  const url = await listen(app, host, port);
  return { reader, url: `${url}/metrics`, close: () => app.close() };
}

/** Keeps a page of another host from reading what is this machine's, by a name that leads here (DNS rebinding). */
function refuseOtherHosts(app: FastifyInstance): void {
  const isOurs = hostCheck([]);
  app.addHook('onRequest', (request, _reply, done) => {
    if (isOurs(request.headers.host)) return done();
    done(
      new CodedError('misdirected', 'Metrics of this machine are asked for by its address, or as localhost.'),
    );
  });
}

async function collectorReader(exportMs: number) {
  const [{ PeriodicExportingMetricReader }, { OTLPMetricExporter }] = await Promise.all([
    import('@opentelemetry/sdk-metrics'),
    import('@opentelemetry/exporter-metrics-otlp-http'),
  ]);
  return new PeriodicExportingMetricReader({
    exporter: new OTLPMetricExporter(),
    exportIntervalMillis: exportMs,
    exportTimeoutMillis: Math.min(exportMs, 10_000),
  });
}
