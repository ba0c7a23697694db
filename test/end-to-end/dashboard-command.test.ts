import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { findDashboard } from '../../src/tools/dashboard/dashboard-package.ts';
import { eventually } from '../support/eventually.ts';
import { useSystem } from '../support/running-system.ts';
import { testSecret } from '../support/tokens.ts';

const executable = fileURLToPath(new URL('../../dist/bin/tillbox.js', import.meta.url));

/** Whether the package, which nobody has to install, is. */
function isInstalled(): boolean {
  try {
    return findDashboard() !== '';
  } catch {
    return false;
  }
}

/** The processes that descend from this one. */
function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        return Number(readFileSync(`/proc/${name}/stat`, 'utf8').split(') ')[1]?.split(' ')[1]) === pid;
      } catch {
        return false;
      }
    })
    .map(Number);
}

describe('tillbox dashboard', () => {
  const system = useSystem();

  it('says how to install the package where it is missing', async function () {
    if (isInstalled()) this.skip();
    const { code, stdout, stderr } = await system.run(['dashboard', '--port', '0']);
    expect([code, stdout]).to.deep.equal([2, '']);
    expect(stderr).to.match(/^ {2}npm install --no-save --prefix \S+ @pg-boss\/dashboard@[\d.]+$/m);
  });

  it('shows the queues until Ctrl-C, and leaves nothing', async function () {
    if (!isInstalled()) this.skip();
    const child = spawn(process.execPath, [executable, 'dashboard', '--port', '0', '--json'], {
      env: { ...process.env, TILLBOX_HOME: system.home },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = new Promise((resolve) => child.once('exit', resolve));
    let printed = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      printed += text;
    });
    const { url } = await eventually(() => JSON.parse(printed) as { url: string }, { withinMs: 30_000 });
    for (const path of ['/', '/queues', '/jobs', '/queues/payment-requests']) {
      const answer = await fetch(`${url}${path}`);
      expect(answer.status, path).to.equal(200);
      expect(await answer.text(), path).to.contain('pg-boss');
    }
    expect(await (await fetch(`${url}/queues`)).text()).to.contain('payment-results-dead-letters');
    const behind = childrenOf(child.pid ?? 0);
    expect(behind).to.have.length(1);
    child.kill('SIGINT');
    expect(await exited).to.equal(130);
    expect(behind.filter((pid) => readdirSync('/proc').includes(String(pid)))).to.deep.equal([]);
  });
}).timeout(60_000);

describe('tillbox dashboard, before a gateway that asks for tokens', () => {
  const system = useSystem([], { TILLBOX_AUTH_SECRET: testSecret });
  const folder = mkdtempSync(join(tmpdir(), 'tillbox-dashboard-'));
  /** What stands for the package. */
  const env = { NODE_PATH: folder };
  before(() => {
    const place = join(folder, '@pg-boss', 'dashboard');
    mkdirSync(join(place, 'bin'), { recursive: true });
    writeFileSync(join(place, 'package.json'), '{"name":"@pg-boss/dashboard","version":"1.9.0"}');
    writeFileSync(join(place, 'bin', 'cli.js'), 'process.exit(1)');
  });
  after(() => rmSync(folder, { recursive: true }));

  it('does not start without knowing what tokens are checked with', async () => {
    const { code, stdout, stderr } = await system.run(['dashboard', '--port', '0'], { env });
    expect([code, stdout]).to.deep.equal([2, '']);
    expect(stderr)
      .to.contain('asks for tokens')
      .and.contain('TILLBOX_AUTH_SECRET')
      .and.not.contain(testSecret);
  });

  it('does not start either when that gateway gives no answer', async () => {
    const away = { ...env, TILLBOX_URL: 'http://127.0.0.1:1' };
    const { code, stderr } = await system.run(['dashboard', '--port', '0'], { env: away });
    expect([code, stderr.includes('does not say whether')]).to.deep.equal([7, true]);
  });

  it('gets as far as the package with what the gateway has', async () => {
    const told = { ...env, TILLBOX_AUTH_SECRET: testSecret };
    const { stderr } = await system.run(['dashboard', '--port', '0'], { env: told });
    expect(stderr).to.contain('dashboard').and.not.contain('asks for tokens');
  });
}).timeout(60_000);
