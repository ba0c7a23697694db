import type { Meter, ObservableResult } from '@opentelemetry/api';

/**
 * Observes, whenever somebody looks, whether a daemon works: `tillbox.ready`, 1 or 0. Answers what ends it.
 */
export function observeReadiness(meter: Meter, isReady: () => boolean | Promise<boolean>): () => void {
  const ready = meter.createObservableGauge('tillbox.ready', {
    description: 'Whether the daemon works: 1, or 0 while it waits for what is behind.',
  });
  const observe = async (result: ObservableResult) => result.observe((await isReady()) ? 1 : 0);
  ready.addCallback(observe);
  return () => ready.removeCallback(observe);
}
