import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import type { Report } from '../bench/report.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

describe('npm run bench', () => {
  it('measures a whole system of its own, in a second of load, and loses nothing', async function () {
    this.timeout(120_000);
    const args = ['--import', 'tsx', 'test/bench/bench.ts', '--only', 'throughput'];
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [...args, '--seconds', '1', '--runs', '1', '--users', '20', '--json'],
      { cwd: root },
    );
    const report: Report = JSON.parse(stdout);
    expect(report.failures).to.deep.equal([]);
    const settled = report.rows.find(({ name }) => name === 'orders settled');
    expect(settled?.median).to.be.greaterThan(0);
    expect(report.rows.map(({ name }) => name)).to.include('connections');
  });
});
