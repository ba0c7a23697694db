import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { runTillbox } from '../support/running-system.ts';

describe('tillbox chaos', () => {
  const home = mkdtempSync(join(tmpdir(), 'tillbox-test-'));
  after(() => rmSync(home, { recursive: true, force: true }));

  it('passes a short run with every fault', async function () {
    this.timeout(120_000);
    const args = ['chaos', '--duration', '15s', '--seed', '20261122', '--instances', 'payments=2', '--json'];
    const { code, stdout, stderr } = await runTillbox(args, { home });
    const report = JSON.parse(stdout);
    expect(report.failures, stderr).to.deep.equal([]);
    expect(code).to.equal(0);
    expect(report.requests.ok).to.be.greaterThan(100);
    for (const fault of ['kill', 'pause', 'postgres', 'link', 'duplicate', 'poison']) {
      expect(report.faults[fault].struck, fault).to.be.greaterThan(0);
    }
  });

  it('refuses faults it does not know, and times that are none', async () => {
    for (const wrong of [
      ['--faults', 'kill,rain'],
      ['--duration', 'soon'],
      ['--seed', '-1'],
    ]) {
      const { code, stderr } = await runTillbox(['chaos', ...wrong], { home });
      expect(code, wrong.join(' ')).to.equal(2);
      expect(stderr).to.contain('must be');
    }
  });
});
