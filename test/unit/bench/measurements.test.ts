import { expect } from 'chai';
import { parseTps } from '../../bench/parts/pgbench.ts';
import { judgeCount } from '../../bench/parts/under-load.ts';
import { cpuMicros, isUsageKnown, parseStat, residentMegabytes } from '../../bench/process-usage.ts';

describe('measurements of the bench', () => {
  it('find a loss and a doubled order, and neither where an answer was lost', () => {
    expect(judgeCount({ accepted: 10, uncertain: 0 }, 10)).to.equal(undefined);
    expect(judgeCount({ accepted: 10, uncertain: 0 }, 9)).to.contain('9 are there');
    expect(judgeCount({ accepted: 10, uncertain: 0 }, 11)).to.contain('11 are there');
    expect(judgeCount({ accepted: 10, uncertain: 2 }, 12)).to.equal(undefined);
    expect(judgeCount({ accepted: 10, uncertain: 2 }, 13)).to.contain('13 are there');
  });

  it('read times of a process whatever its name', () => {
    const fields = [7, 7, 7, 0, -1, 0, 0, 0, 0, 0, 11, 12, 13, 14, 20].join(' ');
    expect(parseStat(`42 (a) strange) name) S ${fields}\n`)).to.deep.equal({
      parent: 7,
      user: 11,
      system: 12,
      reapedUser: 13,
      reapedSystem: 14,
    });
    expect(parseStat('').user).to.equal(0);
  });

  it('know this process, on Linux', function () {
    if (!isUsageKnown) this.skip();
    const { pid } = process;
    expect(cpuMicros([{ name: 'this', pid }]).get('this')).to.be.greaterThan(0);
    expect(residentMegabytes(pid)).to.be.greaterThan(10);
    expect(residentMegabytes(2 ** 30)).to.be.NaN;
  });

  it('read the rate in what pgbench prints', () => {
    expect(
      parseTps('latency average = 8.6 ms\ntps = 3695.104918 (without initial connection time)\n'),
    ).to.equal(3695.104918);
    expect(parseTps('no such thing')).to.equal(undefined);
  });
});
