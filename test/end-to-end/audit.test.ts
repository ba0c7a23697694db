import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import type { DatabaseUrls } from '../../src/system/migrate.ts';
import { busyInFlight, history, nothingInFlight, useAuditedDatabases } from '../support/audited-databases.ts';
import { databaseVariables } from '../support/database-variables.ts';
import { type Ran, runTillbox } from '../support/running-system.ts';

const executable = fileURLToPath(new URL('../../dist/bin/tillbox.js', import.meta.url));
const brokenBalance = `update payments.accounts set balance = balance + 1 where user_id = 'simple'`;

describe('tillbox audit on the command line', () => {
  const databases = useAuditedDatabases();
  const home = mkdtempSync(join(tmpdir(), 'tillbox-test-'));
  after(() => rmSync(home, { recursive: true }));

  function run(urls: DatabaseUrls, ...args: string[]): Promise<Ran> {
    return runTillbox(['audit', ...args], { home, env: databaseVariables(urls) });
  }

  it('prints the report as JSON and exits 0 when all is well', async () => {
    const { code, stdout, stderr } = await run(await databases.copyOf('quiet'), '--json');
    expect(JSON.parse(stdout)).to.deep.equal({
      ok: true,
      checked: history,
      in_flight: nothingInFlight,
      violations: [],
    });
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
  });

  it('tells a person that nothing is lost and nothing happened twice, and what is on its way', async () => {
    const { code, stdout, stderr } = await run(await databases.copyOf('busy'));
    expect(code).to.equal(0);
    expect(stdout).to.match(
      /^nothing lost, nothing twice\nchecked {4}24 accounts, .*\nin flight {2}15 new orders, /,
    );
    expect(stderr).to.contain('--wait 60');
  });

  it('exits 8 and names invariant, user and figures when something is wrong', async () => {
    const urls = await databases.copyOf('quiet');
    await databases.tamper(urls.payments, brokenBalance);
    const { code, stdout } = await run(urls);
    expect(code).to.equal(8);
    expect(stdout).to.contain('2 invariants are violated').and.contain('balance-equals-entries');
    expect(stdout).to.contain('simple').and.contain('balance 60.01, entries sum to 60.00');
    const json = JSON.parse((await run(urls, '--json')).stdout);
    expect(json.ok).to.equal(false);
  });

  it('exits 7 when a database is away', async () => {
    const urls = await databases.copyOf('quiet');
    const away = new URL(urls.payments);
    away.port = '1';
    const { code, stdout, stderr } = await run({ ...urls, payments: away.href }, '--json');
    expect({ code, stdout }).to.deep.equal({ code: 7, stdout: '' });
    expect(JSON.parse(stderr).code).to.equal('unavailable');
    expect(stderr).not.to.contain(away.password);
  });

  it('exits 124 with the report when it does not get quiet in the time it was given', async () => {
    const { code, stdout, stderr } = await run(await databases.copyOf('busy'), '--wait', '1', '--json');
    expect(code).to.equal(124);
    expect(JSON.parse(stdout)).to.deep.include({ ok: true, in_flight: busyInFlight });
    expect(JSON.parse(stderr).code).to.equal('wait-timeout');
  });

  it('refuses what makes no sense, with exit code 2', async () => {
    const urls = await databases.copyOf('quiet');
    expect((await run(urls, '--wait', 'long')).code).to.equal(2);
    expect((await run(urls, '--wait', '5', '--watch')).code).to.equal(2);
  });

  it('watches until a violation, a line a round, and exits 8', async () => {
    const urls = await databases.copyOf('quiet');
    const watching = spawn(process.execPath, [executable, 'audit', '--watch', '--json'], {
      env: { ...process.env, TILLBOX_HOME: home, ...databaseVariables(urls) },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let printed = '';
    watching.stdout.setEncoding('utf8').on('data', (text) => {
      printed += text;
    });
    await once(watching.stdout, 'data');
    await databases.tamper(urls.payments, brokenBalance);
    const [code] = await once(watching, 'close');
    const rounds = printed
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).ok);
    expect(code).to.equal(8);
    expect(rounds.at(-1)).to.equal(false);
    expect(rounds.slice(0, -1)).to.include(true).and.not.include(false);
  });

  it('ends with 130 on Ctrl-C', async () => {
    const urls = await databases.copyOf('quiet');
    const watching = spawn(process.execPath, [executable, 'audit', '--watch'], {
      env: { ...process.env, TILLBOX_HOME: home, ...databaseVariables(urls) },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(watching.stdout, 'data');
    watching.kill('SIGINT');
    expect((await once(watching, 'close'))[0]).to.equal(130);
  });
});
