import type { Meter } from '@opentelemetry/api';
import {
  AggregationTemporality,
  type DataPoint,
  type Histogram,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { withVanishingGauges } from '../../src/platform/telemetry/vanishing-gauges.ts';

/** A meter whose measurements a test can read, as a daemon's readers would. */
export class Metered {
  readonly meter: Meter;
  readonly #exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  readonly #reader = withVanishingGauges(
    new PeriodicExportingMetricReader({ exporter: this.#exporter, exportIntervalMillis: 3_600_000 }),
  );
  readonly #provider = new MeterProvider({ readers: [this.#reader] });

  constructor() {
    this.meter = this.#provider.getMeter('test');
  }

  /** The value of each series of a metric now, by its attributes' values; a histogram's is how many it holds. */
  async read(name: string): Promise<Record<string, number>> {
    const points = await this.#pointsOf(name);
    const entries = points.map(({ attributes, value }) => [
      Object.values(attributes).join(' '),
      typeof value === 'number' ? value : value.count,
    ]);
    return Object.fromEntries(entries);
  }

  /** The sum of all that a histogram's series holds. */
  async sum(name: string, attributes: Record<string, unknown>): Promise<number> {
    const points = await this.#pointsOf(name);
    const wanted = points.find((point) =>
      Object.entries(attributes).every(([key, value]) => point.attributes[key] === value),
    );
    const value = wanted?.value;
    if (typeof value !== 'object') throw new Error(`${name} has no histogram of these attributes`);
    return value.sum ?? 0;
  }

  async #pointsOf(name: string): Promise<DataPoint<number | Histogram>[]> {
    this.#exporter.reset();
    await this.#reader.forceFlush();
    const metrics = this.#exporter
      .getMetrics()
      .flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics));
    const found = metrics.find(({ descriptor }) => descriptor.name === name);
    return (found?.dataPoints ?? []) as DataPoint<number | Histogram>[];
  }

  close(): Promise<void> {
    return this.#provider.shutdown();
  }
}
