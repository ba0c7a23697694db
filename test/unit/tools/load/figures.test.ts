import { expect } from 'chai';
import { Latencies } from '../../../../src/tools/load/latencies.ts';
import { barChart, lineChart, ticksUpTo } from '../../../../src/tools/load/svg-charts.ts';
import { slicesMax, Timeline } from '../../../../src/tools/load/timeline.ts';

describe('load: latencies', () => {
  it('have no figures before the first', () => {
    expect(new Latencies().figures()).to.deep.equal({ p50: null, p95: null, p99: null, max: null });
    expect(new Latencies().bins()).to.deep.equal([]);
  });

  it('give percentiles to a thousandth of their size', () => {
    const latencies = new Latencies();
    for (let ms = 1; ms <= 1_000; ms += 1) latencies.record(ms);
    const { p50, p95, p99, max } = latencies.figures();
    expect(p50).to.be.closeTo(500, 1);
    expect(p95).to.be.closeTo(950, 1);
    expect(p99).to.be.closeTo(990, 1);
    expect(max).to.be.closeTo(1_000, 1);
  });

  it('are counted in bins from the first to the last used', () => {
    const latencies = new Latencies();
    latencies.record(2, 3);
    latencies.record(7);
    latencies.record(1e9);
    const bins = latencies.bins();
    expect(bins[0]).to.deep.equal({ fromMs: 1, toMs: 2, count: 3 });
    expect(bins.slice(0, 3).map(({ count }) => count)).to.deep.equal([3, 0, 1]);
    expect(bins.at(-1)?.toMs).to.equal(null);
    expect(latencies.count).to.equal(5);
  });
});

describe('load: the timeline', () => {
  it('keeps its slices few and loses nothing, however long a run is', () => {
    const timeline = new Timeline();
    for (let second = 0; second < 1_000; second += 1) timeline.record(second, 10);
    timeline.record(999, 500);
    timeline.recordError(0);
    const slices = timeline.slices();
    expect(slices.length).to.be.at.most(slicesMax);
    expect(slices.reduce((sum, { count }) => sum + count, 0)).to.equal(1_001);
    expect(slices[0]?.errors).to.equal(1);
    expect(slices.at(-1)?.max).to.be.closeTo(500, 5);
    expect(slices[3]).to.include({ seconds: 3 * timeline.sliceSeconds, perSecond: 1 });
  });
});

describe('load: charts', () => {
  it('escape every text', () => {
    const chart = lineChart('<a>', '"&', [{ name: "<i>'", points: [[0, 1]] }]);
    expect(chart).to.contain('&lt;a&gt;').and.to.contain('&quot;&amp;').and.to.contain('&lt;i&gt;&#39;');
    expect(chart).not.to.contain('<a>');
  });

  it('draw nothing that is no number, of no points, one point and gaps', () => {
    const gaps: [number, number | null][] = [
      [0, null],
      [1, 5],
      [2, null],
      [3, 7],
      [4, 8],
    ];
    for (const points of [[], [[0, 0]] as [number, number][], gaps]) {
      expect(lineChart('x', 'y', [{ name: 'z', points }])).not.to.match(/NaN|Infinity|undefined|null/);
    }
    expect(
      lineChart('x', 'y', [{ name: 'z', points: gaps }]).match(/class="line s0" d="([^"]*)"/)?.[1],
    ).to.match(/^M[^M]*M[^M]*L[^ML]* [^ML]*$/);
    expect(barChart('x', [], 0)).not.to.match(/NaN|Infinity/);
  });

  it('have round ticks that reach above all values', () => {
    for (const max of [0, 0.004, 0.9, 1, 3, 7, 60, 99, 1_234, 5_000_000]) {
      const ticks = ticksUpTo(max);
      expect(ticks[0]).to.equal(0);
      expect(ticks.at(-1), String(max)).to.be.at.least(max);
      expect(ticks.length, String(max)).to.be.within(2, 6);
    }
  });
});
