import type { Meter, ObservableGauge, ObservableResult } from '@opentelemetry/api';

/** The gauge of whether a daemon works: `tillbox.ready`, 1 or 0. */
export function readinessGauge(meter: Meter): ObservableGauge {
  return meter.createObservableGauge('tillbox.ready', {
    description: 'Whether the daemon works: 1, or 0 while it waits for what is behind.',
  });
}

/** Observes that gauge whenever somebody looks. Answers what ends it. */
export function observeReadiness(meter: Meter, isReady: () => boolean | Promise<boolean>): () => void {
  const ready = readinessGauge(meter);
  const observe = async (result: ObservableResult) => result.observe((await isReady()) ? 1 : 0);
  ready.addCallback(observe);
  return () => ready.removeCallback(observe);
}
