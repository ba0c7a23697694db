import { expect } from 'chai';
import { type BenchOptions, parseDuration, readOptions, UsageError } from '../../bench/options.ts';

describe('options of the bench', () => {
  const read = (...args: string[]) => readOptions(args) as BenchOptions;

  it('are three runs of all that is short, unless told otherwise', () => {
    const { runs, parts, output } = read();
    expect(runs).to.equal(3);
    expect([...parts]).to.include.members(['pgbench', 'throughput', 'idle', 'start']);
    expect([...parts]).to.not.include.members(['growth', 'backlog', 'soak', 'compare']);
    expect(output).to.equal('table');
  });

  it('add what takes long by its flag, and leave out what was not named', () => {
    const { parts, settled, accounts } = read('--only', 'throughput,idle', '--settled', '5_000_000');
    expect([...parts]).to.deep.equal(['throughput', 'idle', 'growth']);
    expect(settled).to.equal(5_000_000);
    expect(accounts).to.equal(100_000);
    expect(read('--soak', '30m').soakSeconds).to.equal(1_800);
    expect([...read('--only', 'pgbench', '--compare').parts]).to.deep.equal(['pgbench', 'compare']);
  });

  it('refuse what they do not know', () => {
    for (const args of [
      ['--only', 'speed'],
      ['--runs', '0'],
      ['--runs', 'x'],
      ['--fast'],
      ['--soak', '1 year'],
    ]) {
      expect(() => read(...args), args.join(' ')).to.throw(UsageError);
    }
    expect(() => read('--only', 'soak')).to.throw(UsageError, '--soak DURATION');
  });

  it('take durations in seconds, minutes and hours', () => {
    expect(['90', '90s', '1.5m', '1h'].map(parseDuration)).to.deep.equal([90, 90, 90, 3_600]);
  });
});
