import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { BatchObservableResult, Meter } from '@opentelemetry/api';

/** How exactly delays of the event loop are measured, in milliseconds: its usual resolution. */
const resolutionMs = 10;
const nanosecondsPerSecond = 1e9;

/**
 * Observes this process: how late its event loop comes, since the last time somebody looked, and its memory.
 * Names as OpenTelemetry's conventions have them. Answers what ends it.
 */
export function observeProcess(meter: Meter): () => void {
  const delay = monitorEventLoopDelay({ resolution: resolutionMs });
  delay.enable();
  const seconds = (name: string) =>
    meter.createObservableGauge(`nodejs.eventloop.delay.${name}`, { unit: 's' });
  const gauges = { p50: seconds('p50'), p99: seconds('p99'), max: seconds('max') };
  const memory = meter.createObservableGauge('process.memory.usage', {
    unit: 'By',
    description: 'Resident memory.',
  });
  const observe = (result: BatchObservableResult) => {
    result.observe(memory, process.memoryUsage.rss());
    // The first moment has no delay yet.
    if (delay.count === 0) return;
    result.observe(gauges.p50, delay.percentile(50) / nanosecondsPerSecond);
    result.observe(gauges.p99, delay.percentile(99) / nanosecondsPerSecond);
    result.observe(gauges.max, delay.max / nanosecondsPerSecond);
    delay.reset();
  };
  const observed = [...Object.values(gauges), memory];
  meter.addBatchObservableCallback(observe, observed);
  return () => {
    meter.removeBatchObservableCallback(observe, observed);
    delay.disable();
  };
}
