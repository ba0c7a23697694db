import { PrometheusExporter, PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  type MetricReader,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { expect } from 'chai';
import { withVanishingGauges } from '../../../../src/platform/telemetry/vanishing-gauges.ts';
import { deferred } from '../../../support/deferred.ts';
import { seriesIn } from '../../../support/scrape.ts';

describe('gauges that vanish', () => {
  const scrapeReader = () => withVanishingGauges(new PrometheusExporter({ preventServerStart: true }));
  const exportReader = () =>
    withVanishingGauges(
      new PeriodicExportingMetricReader({
        exporter: new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE),
        exportIntervalMillis: 3_600_000,
      }),
    );

  /** The series of `depth`, `steady` and `events_total`, by name, as Prometheus would read them. */
  async function read(reader: MetricReader): Promise<Record<string, number>> {
    const { resourceMetrics } = await reader.collect();
    const text = new PrometheusSerializer().serialize(resourceMetrics);
    const series = seriesIn(text).filter(({ name }) => name !== 'target_info');
    return Object.fromEntries(series.map(({ name, value }) => [name, value]));
  }

  function meterWith(...readers: MetricReader[]) {
    const provider = new MeterProvider({ readers });
    const meter = provider.getMeter('test');
    const measured: { depth: number | undefined } = { depth: 3 };
    meter.createObservableGauge('depth').addCallback((result) => {
      if (measured.depth !== undefined) result.observe(measured.depth);
    });
    meter.createObservableGauge('steady').addCallback((result) => result.observe(1));
    const events = meter.createCounter('events');
    events.add(5);
    return { provider, meter, measured };
  }

  for (const [name, open] of Object.entries({ scrape: scrapeReader, export: exportReader })) {
    it(`are there, gone and back in what a ${name} reads, while counters go on`, async () => {
      const reader = open();
      const { provider, measured } = meterWith(reader);
      expect(await read(reader)).to.deep.equal({ depth: 3, steady: 1, events_total: 5 });
      measured.depth = undefined;
      expect(await read(reader)).to.deep.equal({ steady: 1, events_total: 5 });
      expect(await read(reader)).to.deep.equal({ steady: 1, events_total: 5 });
      measured.depth = 4;
      expect(await read(reader)).to.deep.equal({ depth: 4, steady: 1, events_total: 5 });
      await provider.shutdown();
    });
  }

  it('are missing at a second reader one interval of its own later at most', async () => {
    const [scraped, exported] = [scrapeReader(), exportReader()];
    const { provider, measured } = meterWith(scraped, exported);
    expect(await read(exported)).to.include({ depth: 3 });
    measured.depth = 4;
    expect(await read(scraped)).to.include({ depth: 4 });
    measured.depth = undefined;
    expect(await read(scraped)).not.to.have.property('depth');
    expect(await read(exported)).to.include({ depth: 4 });
    expect(await read(exported)).not.to.have.property('depth');
    await provider.shutdown();
  });

  it('lose nothing to another scrape at the same moment', async () => {
    const reader = scrapeReader();
    const { provider, meter } = meterWith(reader);
    const slow = deferred();
    meter.createObservableGauge('late').addCallback(async (result) => {
      await slow.promise;
      result.observe(2);
    });
    const reads = [read(reader), read(reader)];
    slow.resolve();
    for (const series of await Promise.all(reads))
      expect(series).to.deep.equal({ depth: 3, steady: 1, late: 2, events_total: 5 });
    await provider.shutdown();
  });
});
