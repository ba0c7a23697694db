import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { sqlBehind } from '../support/administrator.ts';
import { useSystem } from '../support/running-system.ts';

const folder = fileURLToPath(new URL('../../bin/scenarios', import.meta.url));
const binFolder = fileURLToPath(new URL('../../node_modules/.bin', import.meta.url));
const scenarios = readdirSync(folder).filter((name) => name.endsWith('.sh') && name !== 'shared.sh');

/** Short, as tests are. */
const short = {
  DURATION: '4s',
  ORDERS: '200',
  RATE: '20',
  OUTAGE: '2',
  KILLS: '1',
  TIMES: '4',
  CLIENTS: '16',
};
const few = { 'overdraft-race.sh': { ORDERS: '6' } } as Record<string, Record<string, string>>;

interface Played {
  code: number | null;
  stdout: string;
  stderr: string;
}

function play(name: string, environment: NodeJS.ProcessEnv): Promise<Played> {
  const path = [binFolder, dirname(process.execPath), process.env['PATH']].join(delimiter);
  const child = spawn('bash', ['--norc', join(folder, name)], {
    env: { ...process.env, ...short, ...few[name], PATH: path, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const played: Played = { code: null, stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text) => {
    played.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    played.stderr += text;
  });
  return new Promise((resolve) => child.once('close', (code) => resolve({ ...played, code })));
}

function expectPassed({ code, stdout, stderr }: Played): void {
  expect(code, `${stdout}\n${stderr}`).to.equal(0);
  expect(stdout).to.contain('nothing lost, nothing twice');
  // Nothing of it is for terminals.
  expect(stdout + stderr).not.to.contain('\u001b');
}

describe('scenarios', function () {
  this.timeout(120_000);

  it('are the eight, each executable, short and told in a comment', () => {
    expect(scenarios).to.have.members(
      [
        ...['steady', 'burst', 'hot-account', 'overdraft-race', 'duplicate-storm'],
        ...['payments-outage', 'kill-payments', 'rolling-restart'],
      ].map((name) => `${name}.sh`),
    );
    for (const name of scenarios) {
      accessSync(join(folder, name), constants.X_OK);
      const lines = readFileSync(join(folder, name), 'utf8').trim().split('\n');
      expect(lines.slice(0, 4).join('\n'), name).to.match(
        /^#!\/usr\/bin\/env bash\n# [A-Z].*[.?]\n# {3}.*bin\/scenarios\/.*\.sh\nset -euo pipefail$/,
      );
      expect(lines.length, name).to.be.at.most(40);
    }
  });

  it('please shellcheck', function () {
    if (spawnSync('shellcheck', ['--version']).status !== 0) return this.skip();
    const paths = ['shared.sh', ...scenarios].map((name) => join('bin', 'scenarios', name));
    const cwd = fileURLToPath(new URL('../..', import.meta.url));
    const { stdout } = spawnSync('shellcheck', ['-x', ...paths], { cwd, encoding: 'utf8' });
    expect(stdout).to.equal('');
  });

  describe('on a system that runs', () => {
    const system = useSystem(['--instances', 'orders=2', 'payments=1']);
    for (const name of scenarios) {
      it(`passes: ${name}`, async () => {
        const played = await play(name, { TILLBOX_HOME: system.home });
        expectPassed(played);
        expect(played.stderr).to.contain('on the system that runs');
      });
    }

    // The last one, for it leaves the system wrong.
    it('fails when the audit finds that something is', async () => {
      await system.run(['create-account', 'victim']);
      const wrong = `update payments.accounts set balance = 1 where user_id = 'victim'`;
      await sqlBehind(system.runtime, 'payments', wrong);
      const { code, stdout } = await play('steady.sh', { TILLBOX_HOME: system.home, DURATION: '1s' });
      expect(code, stdout).to.equal(8);
      expect(stdout).to.contain('victim');
    });
  });

  it('bring a system of their own where none runs, and leave nothing of it', async () => {
    const home = mkdtempSync(join(tmpdir(), 'tillbox-scenario-'));
    const temporary = mkdtempSync(join(tmpdir(), 'tillbox-scenario-tmp-'));
    try {
      // Whatever runs on this machine at the usual port.
      const elsewhere = { TILLBOX_HOME: home, TMPDIR: temporary, GATEWAY_PORT: '1' };
      const played = await play('steady.sh', { ...elsewhere, DURATION: '1s' });
      expectPassed(played);
      expect(played.stderr).to.contain('no system runs');
      expect(readdirSync(home)).to.deep.equal([]);
      expect(readdirSync(temporary).filter((name) => name.startsWith('tmp.'))).to.deep.equal([]);
    } finally {
      rmSync(home, { recursive: true, force: true });
      rmSync(temporary, { recursive: true, force: true });
    }
  });
});
