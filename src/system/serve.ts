import { type Environment, readConfig } from '../platform/config.ts';
import { type Daemon, liveUntilSignal } from '../platform/lifecycle.ts';
import { createLogger } from '../platform/logging.ts';
import { openTelemetry, type Telemetry } from '../platform/telemetry/telemetry.ts';
import type { Serving } from './serving.ts';

/**
 * Runs one daemon in this process until it is told to stop. Only its own modules are loaded: reading those of all
 * three was a third of the work of starting one.
 */
export async function serve(
  service: 'gateway' | 'orders' | 'payments',
  environment: Environment,
): Promise<void> {
  const config = readConfig(environment);
  const instance = config.instance ?? service;
  const log = createLogger(service, config.logLevel, instance);
  const stopping = new AbortController();
  let daemon: Daemon | undefined;
  let telemetry: Telemetry | undefined;
  const stop = async () => {
    stopping.abort();
    await daemon?.stop();
    await telemetry?.stop();
  };
  liveUntilSignal({ stop }, log);
  telemetry = await openTelemetry({ service, instance, metrics: config.metrics, traces: config.traces, log });
  const serving: Serving = {
    config,
    log,
    meter: telemetry?.meter,
    spans: telemetry?.spans,
    stopping: stopping.signal,
    hold: (started) => {
      daemon = started;
    },
  };
  if (service === 'gateway') {
    const { serveGateway } = await import('./serve-gateway.ts');
    await serveGateway(serving);
  } else {
    const { serveService } = await import('./serve-service.ts');
    await serveService(service, serving);
  }
}
