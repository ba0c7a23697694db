import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { findDashboard } from '../../src/tools/dashboard/dashboard-package.ts';
import { eventually } from '../support/eventually.ts';
import { useSystem } from '../support/running-system.ts';

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
