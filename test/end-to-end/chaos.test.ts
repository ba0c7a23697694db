import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { alive, descendantsOf } from '../support/descendants.ts';
import { eventually } from '../support/eventually.ts';
import { runTillbox } from '../support/running-system.ts';

const executable = fileURLToPath(new URL('../../dist/bin/tillbox.js', import.meta.url));

/** That a short run passes the README's test shows. */
describe('tillbox chaos', () => {
  const home = mkdtempSync(join(tmpdir(), 'tillbox-test-'));
  after(() => rmSync(home, { recursive: true, force: true }));

  it('refuses faults it does not know, times that are none, and orders at no rate', async () => {
    for (const wrong of [
      ['--faults', 'kill,rain'],
      ['--duration', 'soon'],
      ['--seed', '-1'],
      ['--orders-rate', '0'],
      ['--instances', 'gateway=2'],
    ]) {
      const { code, stderr } = await runTillbox(['chaos', ...wrong], { home });
      expect(code, wrong.join(' ')).to.equal(2);
      expect(stderr).to.match(/must be|takes/);
    }
  });

  describe('interrupted with Ctrl-C', () => {
    const started: ChildProcess[] = [];
    // Twice, or a test that failed would leave it running.
    after(() => started.map((child) => [child.kill('SIGINT'), child.kill('SIGINT')]));

    /** Starts a run whose temporary folders are in a folder of their own, and waits until faults strike. */
    async function running(args: readonly string[]) {
      const folder = mkdtempSync(join(tmpdir(), 'tillbox-test-chaos-'));
      // For the account that Postgres runs under.
      chmodSync(folder, 0o755);
      const child: ChildProcess = spawn(process.execPath, [executable, 'chaos', ...args], {
        env: { ...process.env, TILLBOX_HOME: home, TMPDIR: folder },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      const told = { stdout: '', stderr: '' };
      for (const name of ['stdout', 'stderr'] as const) {
        child[name]?.setEncoding('utf8').on('data', (text: string) => {
          told[name] += text;
        });
      }
      const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
      started.push(child);
      await eventually(() => expect(told.stderr).to.match(/ faults\n/), { withinMs: 90_000 });
      const processes = [...descendantsOf(child.pid as number), ...serversIn(folder)];
      return { child, told, ended, folder, processes };
    }

    /** The main processes of the servers in the folder: they are nobody's children. */
    const serversIn = (folder: string) =>
      readdirSync(folder).flatMap((name) => {
        try {
          return [Number.parseInt(readFileSync(join(folder, name, 'data', 'postmaster.pid'), 'utf8'), 10)];
        } catch {
          return [];
        }
      });

    const expectNothingLeft = async (folder: string, processes: readonly number[]) => {
      // Three daemons, a server, its guard.
      if (process.platform === 'linux') expect(processes).to.have.length.of.at.least(5);
      // The guard of a server's folder ends a moment after us.
      await eventually(() => expect(alive(processes)).to.deep.equal([]));
      const left = readdirSync(folder).filter((name) => name.startsWith('tillbox'));
      expect(left).to.deep.equal([]);
      rmSync(folder, { recursive: true });
    };

    it('says that there is no verdict, and leaves nothing behind', async function () {
      this.timeout(200_000);
      const args = ['--duration', '10m', '--orders-rate', '20', '--faults', 'poison', '--separate-databases'];
      const { child, told, ended, folder, processes } = await running(args);
      child.kill('SIGINT');
      expect(await ended, told.stdout).to.equal(130);
      expect(told.stdout).to.match(/^interrupted: no verdict/);
      expect(told.stdout).not.to.match(/PASS|FAIL|proves/);
      await expectNothingLeft(folder, processes);
    });

    it('says so in JSON too', async function () {
      this.timeout(200_000);
      const { child, told, ended, folder, processes } = await running(['--orders-rate', '20', '--json']);
      child.kill('SIGTERM');
      expect(await ended, told.stdout).to.equal(130);
      const { verdict, ok, failures } = JSON.parse(told.stdout);
      expect({ verdict, ok, failures }).to.deep.equal({ verdict: 'interrupted', ok: false, failures: [] });
      await expectNothingLeft(folder, processes);
    });

    it('ends at once when it comes again, with a process paused, and leaves nothing behind', async function () {
      this.timeout(200_000);
      const { child, told, ended, folder, processes } = await running(['--faults', 'pause']);
      child.kill('SIGINT');
      await eventually(() => expect(told.stderr).to.contain('once more ends it at once'));
      child.kill('SIGINT');
      expect(await ended).to.equal(130);
      expect(told.stdout).to.equal('');
      await expectNothingLeft(folder, processes);
    });
  });
});
