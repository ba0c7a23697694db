import { expect } from 'chai';
import { Figures } from '../../bench/figures.ts';
import { drift, percentile, spread } from '../../bench/statistics.ts';

describe('figures of several runs', () => {
  it('have the middle one as median, or the middle of two', () => {
    expect(spread([3, 1, 2])).to.deep.equal({ median: 2, min: 1, max: 3 });
    expect(spread([4, 1, 2, 3])).to.deep.equal({ median: 2.5, min: 1, max: 4 });
    expect(spread([7])).to.deep.equal({ median: 7, min: 7, max: 7 });
    expect(spread([]).median).to.be.NaN;
  });

  it('have percentiles between two values in proportion', () => {
    const hundred = Array.from({ length: 101 }, (_, index) => 100 - index);
    expect(percentile(hundred, 0.99)).to.equal(99);
    expect(percentile([10, 20], 0.25)).to.equal(12.5);
    expect(percentile([10, 20], 1)).to.equal(20);
  });

  it('drift when the end of a series differs from its beginning', () => {
    expect(drift([5, 5, 5])).to.equal(1);
    expect(drift([1, 1, 9, 9, 2, 2])).to.equal(2);
    expect(drift([1, 2])).to.be.NaN;
  });

  it('are collected by part and name, in the order in which they came', () => {
    const figures = new Figures();
    figures.add('first', [
      { name: 'rate', value: 10, unit: '/s', goal: '≥ 5' },
      { name: 'unknown', value: Number.NaN, unit: 'x' },
    ]);
    figures.add('second', [{ name: 'rate', value: 1, unit: '/s' }]);
    figures.add('first', [{ name: 'rate', value: 30, unit: '/s', goal: '≥ 5' }]);
    expect(
      figures.rows().map(({ part, name, median, values }) => [part, name, median, values]),
    ).to.deep.equal([
      ['first', 'rate', 20, [10, 30]],
      ['second', 'rate', 1, [1]],
    ]);
  });
});
