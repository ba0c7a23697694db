import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { runTillbox } from '../support/running-system.ts';

/** That a short run passes the README's test shows. */
describe('tillbox chaos', () => {
  const home = mkdtempSync(join(tmpdir(), 'tillbox-test-'));
  after(() => rmSync(home, { recursive: true, force: true }));

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
