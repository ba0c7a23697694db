import { expect } from 'chai';
import type { LoadReport } from '../../../../src/tools/load/load-report.ts';
import { checkThreshold, metricNames, parseThreshold } from '../../../../src/tools/load/thresholds.ts';

const report = {
  orders: 200,
  errors: 2,
  unsettled: 0,
  accepted_per_s: 990.5,
  settled_per_s: null,
  drain_s: 0.25,
  accept_ms: { p50: 5, p95: 9, p99: 20, max: 50 },
  settle_ms: { p50: 12, p95: 30, p99: 50, max: 800 },
} as unknown as LoadReport;

function check(expression: string) {
  const threshold = parseThreshold(expression);
  if (threshold === undefined) throw new Error(`${expression} was not read`);
  return checkThreshold(threshold, report);
}

describe('load: thresholds', () => {
  for (const expression of [
    'settle.p99<=50ms',
    'settle.p99 < 51',
    'settle.max<0.9s',
    'accept.p50>4999us',
    'accept.max==50',
    'accepted_per_s>=990',
    'accepted_per_s>=990/s',
    'errors<=2',
    'errors=2',
    'errors<=1%',
    'unsettled==0',
    'drain<300ms',
    'drain<0.3s',
  ]) {
    it(`keeps ${expression}`, () => expect(check(expression).ok).to.equal(true));
  }

  for (const expression of [
    'settle.p99<50ms',
    'accept.p95<0.001s',
    'accepted_per_s>1000',
    'errors==0',
    'errors<1%',
    'drain<0.2',
  ]) {
    it(`misses ${expression}`, () => expect(check(expression).ok).to.equal(false));
  }

  it('is missed by a figure that could not be measured', () => {
    expect(check('settled_per_s>1')).to.deep.equal({ expression: 'settled_per_s>1', ok: false, value: null });
  });

  for (const expression of [
    '',
    'settle.p99',
    'settle.p99<',
    'settle.p98<5',
    'settle.p99<5min',
    'settle.p99<5constructor',
    'settle.p99<-5',
    'settle.p99<5%',
    'settle.p99!5',
    'errors<5ms',
    'accepted_per_s>1%',
    'constructor<5',
    'settle.p99<5ms; rm',
  ]) {
    it(`does not read "${expression}"`, () => expect(parseThreshold(expression)).to.equal(undefined));
  }

  it('has every figure of the contract', () => {
    expect(metricNames).to.include.members(['accept.p50', 'accept.max', 'settle.p99', 'errors']);
    for (const name of metricNames) expect(parseThreshold(`${name}<1`), name).not.to.equal(undefined);
  });
});
