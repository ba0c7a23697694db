import { expect } from 'chai';
import { formatElapsed, formatLocalTime, formatShortTime } from '../../../src/cli/terminal/times.ts';

describe('times for people', () => {
  const local = (...parts: [number, number, number, number, number, number]) =>
    new Date(...parts).toISOString();

  it('are local, to the second', () => {
    expect(formatLocalTime(local(2026, 0, 2, 3, 4, 5))).to.equal('2026-01-02 03:04:05');
    expect(formatLocalTime('soon')).to.equal('?');
  });

  it('are short as a time today and as a date on other days', () => {
    const now = new Date(2026, 0, 2, 23, 0, 0);
    expect(formatShortTime(local(2026, 0, 2, 3, 4, 5), now)).to.equal('03:04:05');
    expect(formatShortTime(local(2026, 0, 1, 3, 4, 5), now)).to.equal('2026-01-01');
  });

  it('have a distance in milliseconds or seconds', () => {
    const at = (ms: number) => new Date(ms).toISOString();
    expect(formatElapsed(at(0), at(23))).to.equal('23 ms');
    expect(formatElapsed(at(0), at(1_240))).to.equal('1.2 s');
    expect(formatElapsed(at(5), at(0))).to.equal('0 ms');
  });
});
