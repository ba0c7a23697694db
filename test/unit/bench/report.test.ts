import { expect } from 'chai';
import { Figures } from '../../bench/figures.ts';
import { formatMarkdown, formatReport, formatValue, type Report } from '../../bench/report.ts';

function report(changes: Partial<Report> = {}): Report {
  const figures = new Figures();
  for (const value of [1_200, 1_300, 1_100]) {
    figures.add('throughput', [{ name: 'orders settled', value, unit: '/s', goal: '≥ 1,000' }]);
  }
  figures.add('idle', [{ name: 'p50', value: 7.5, unit: 'ms' }]);
  figures.add('compare: tillbox', [{ name: 'orders/s', value: 1_200, unit: '/s', headline: true }]);
  figures.add('compare: other', [{ name: 'orders/s', value: 300, unit: '/s', headline: true }]);
  return {
    ok: true,
    machine: 'a machine',
    command: 'npm run bench',
    seconds: 1,
    rows: figures.rows(),
    notes: ['There is no pgbench.'],
    failures: [],
    ...changes,
  };
}

describe('report of the bench', () => {
  it('shows medians with their spread and the goal, by part, and contestants side by side', () => {
    expect(formatReport(report())).to.equal(
      [
        'a machine',
        '',
        'figure           median  least – greatest     goal',
        '',
        'throughput:',
        'orders settled  1,200/s     1,100 – 1,300  ≥ 1,000',
        '',
        'idle:',
        'p50             7.50 ms',
        '',
        '         orders/s',
        'tillbox   1,200/s',
        'other       300/s',
        '',
        'There is no pgbench.',
        '',
        'nothing lost, nothing twice',
      ].join('\n'),
    );
  });

  it('says what was lost instead', () => {
    const text = formatReport(report({ ok: false, failures: ['hot: 3 orders were accepted, 2 are there'] }));
    expect(text).to.match(/2 are there$/);
    expect(text).not.to.contain('nothing lost');
  });

  it('can be pasted as Markdown, without what only explains the rest', () => {
    const lines = formatMarkdown(report()).split('\n');
    expect(lines.filter((line) => line.includes('p50'))).to.deep.equal([]);
    expect(lines).to.include.members([
      'a machine; `npm run bench`',
      '|  | figure | median | least – greatest | goal |',
      '| throughput | orders settled | 1,200/s | 1,100 – 1,300 | ≥ 1,000 |',
      '|  | orders/s |',
      '| other | 300/s |',
    ]);
  });

  it('writes as many digits as count', () => {
    const written = [formatValue(1_234.5, '/s'), formatValue(12.34, 'ms'), formatValue(1.234, 'ms')];
    expect(written).to.deep.equal(['1,235', '12.3', '1.23']);
    expect(formatValue(17, '')).to.equal('17');
    expect(formatValue(1, 'x')).to.equal('1.00');
  });
});
