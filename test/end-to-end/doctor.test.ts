import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { expect } from 'chai';
import type { DoctorReport, GroupedFinding } from '../../src/tools/doctor/doctor.ts';
import { startTillbox } from '../component/cli/run-tillbox.ts';
import { eventually } from '../support/eventually.ts';
import { anyPorts, runTillbox, useSystem } from '../support/running-system.ts';
import { TerminalSession } from '../support/terminal-session.ts';

const shiftClock = fileURLToPath(new URL('../support/preloads/shift-clock.ts', import.meta.url));

function find({ checks }: DoctorReport, group: string, check: string): GroupedFinding {
  const found = checks.find((finding) => finding.group === group && finding.check.startsWith(check));
  if (found === undefined) throw new Error(`no finding ${group}/${check} in ${JSON.stringify(checks)}`);
  return found;
}

describe('tillbox doctor', function () {
  this.timeout(60_000);
  const system = useSystem([], {}, { embedded: true });

  async function diagnose(
    env: Record<string, string> = {},
  ): Promise<{ code: number | null; report: DoctorReport }> {
    const { code, stdout, stderr } = await system.run(['doctor', '--json'], { env });
    expect(stderr).to.equal('');
    return { code, report: JSON.parse(stdout) };
  }

  it('finds a system that runs in good health, every group of it', async () => {
    await eventually(async () => {
      const { code, report } = await diagnose();
      expect(report.checks.filter(({ level }) => level === 'failure')).to.deep.equal([]);
      expect({ code, ok: report.ok }).to.deep.equal({ code: 0, ok: true });
      expect(find(report, 'queues', 'orders listener').level).to.equal('ok');
      expect(find(report, 'queues', 'notify').level).to.equal('ok');
      expect(find(report, 'gateway', 'payments').level).to.equal('ok');
      expect(report.counts.ok).to.be.greaterThan(20);
    });
  });

  it('exits 8 on a failure, and says what to do, in text and in JSON', async () => {
    const path = join(system.home, 'runtime.json');
    chmodSync(path, 0o644);
    try {
      const { code, report } = await diagnose();
      expect({ code, ok: report.ok }).to.deep.equal({ code: 8, ok: false });
      expect(find(report, 'home', 'secrets').remedy).to.equal(`chmod 600 ${path}`);
      const text = await system.run(['doctor']);
      expect(text.code).to.equal(8);
      expect(text.stderr).to.equal('');
      expect(text.stdout)
        .to.contain(`→ chmod 600 ${path}`)
        .and.to.match(/\d+ ok, \d+ warnings?, 1 failure\n$/);
      expect(text.stdout).not.to.contain('\u001b');
    } finally {
      chmodSync(path, 0o600);
    }
    expect((await diagnose()).code).to.equal(0);
  });

  it('sees a clock that is off: a warning at a minute, a failure at a day', async () => {
    const clock = join(system.home, 'clock');
    const env = {
      TEST_CLOCK: clock,
      NODE_OPTIONS: `--import ${pathToFileURL(shiftClock).href}`,
    };
    for (const [seconds, level] of [
      [60, 'warning'],
      [86_400, 'failure'],
    ] as const) {
      writeFileSync(clock, String(seconds * 1_000));
      const { report } = await diagnose(env);
      expect(find(report, 'databases', 'clock')).to.include({ level });
    }
    rmSync(clock);
  });

  it('takes retention from the environment', async () => {
    const { code, report } = await diagnose({ TILLBOX_IDEMPOTENCY_RETENTION_DAYS: '0.01' });
    expect(code).to.equal(0);
    expect(find(report, 'retention', 'idempotency keys').remedy).to.contain(
      'TILLBOX_IDEMPOTENCY_RETENTION_DAYS',
    );
  });

  it('hides every password', async () => {
    const { stdout } = await system.run(['doctor', '--json']);
    const passwords = Object.values(system.runtime.databases).map((url) => new URL(url).password);
    for (const password of passwords) expect(stdout).not.to.contain(password);
  });

  for (const columns of [40, 80, 200]) {
    it(`fits a terminal of ${columns} columns, in colour unless NO_COLOR says otherwise`, async () => {
      const env = { TILLBOX_HOME: system.home };
      const session = TerminalSession.tillbox(['doctor'], { columns, rows: 60, env });
      expect(await session.ended).to.deep.equal({ code: 0, restored: true });
      expect(session.text).to.match(/\d+ ok, \d+ warnings?, 0 failures$/);
      // A line that is broken by the terminal goes on at its left edge, where only headings begin.
      const lines = session.text.split('\n').filter((line) => !/^( |[a-z]+$|\d+ ok|$)/.test(line));
      expect(lines.filter((line) => line.includes(' '))).to.deep.equal([]);
      expect(session.raw).to.contain('\u001b[32m');
      await session.close();
      const plain = TerminalSession.tillbox(['doctor'], { columns, env: { ...env, NO_COLOR: '1' } });
      await plain.ended;
      expect(plain.raw).not.to.contain('\u001b[');
      await plain.close();
    });
  }

  it('ends as it would have ended when nobody reads it', async () => {
    const { child, ended } = startTillbox(['doctor'], { TILLBOX_HOME: system.home });
    child.stdout.destroy();
    const { code, stderr } = await ended;
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
  });

  it('works where nothing runs, and says so', async () => {
    const home = mkdtempSync(join(tmpdir(), 'tillbox-doctor-'));
    try {
      const { code, stdout } = await runTillbox(['doctor', '--json'], { home, env: anyPorts });
      const report: DoctorReport = JSON.parse(stdout);
      if (process.env['DATABASE_URL'] === undefined && process.env['ORDERS_DATABASE_URL'] === undefined) {
        expect(code).to.equal(0);
        expect(find(report, 'databases', 'postgres')).to.include({ level: 'warning' });
        expect(find(report, 'databases', 'postgres').remedy).to.contain('tillbox up');
      }
      expect(find(report, 'gateway', 'gateway').detail).to.contain('Nothing runs');
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
  });

  it('fails where a system runs whose databases it knows nothing of: it cannot say that all is well', async () => {
    const home = mkdtempSync(join(tmpdir(), 'tillbox-doctor-'));
    try {
      const env = { ...anyPorts, TILLBOX_URL: system.url };
      const { code, stdout } = await runTillbox(['doctor', '--json'], { home, env });
      const report: DoctorReport = JSON.parse(stdout);
      const found = find(report, 'databases', 'postgres');
      expect({ code, level: found.level }).to.deep.equal({ code: 8, level: 'failure' });
      expect(found.detail).to.contain(system.url).and.to.contain(home);
      expect(found.remedy).to.contain('TILLBOX_HOME');
      const queues = await runTillbox(['queues'], { home, env });
      expect(queues.code).to.equal(7);
      expect(queues.stderr).to.contain(`TILLBOX_HOME (${home})`);
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
  });

  it('sees that a gateway should run and does not', async () => {
    const env = { TILLBOX_URL: 'http://127.0.0.1:1' };
    const { code, report } = await diagnose(env);
    expect(code).to.equal(8);
    expect(find(report, 'gateway', 'gateway')).to.include({ level: 'failure' });
  });
});

describe('tillbox status -o env', function () {
  this.timeout(60_000);
  const system = useSystem([], {}, { embedded: true });

  it('exports what another command then uses, secrets only when asked for', async () => {
    const { code, stdout, stderr } = await system.run(['status', '-o', 'env']);
    expect(code).to.equal(0);
    expect(stdout).to.equal(`export TILLBOX_URL='${system.url}';\n`);
    expect(stderr).to.contain('ORDERS_DATABASE_URL').and.to.contain('--show-secrets');
    const open = await system.run(['status', '--output=env', '--show-secrets']);
    expect(open.stderr).to.equal('');
    expect(open.stdout).to.contain(`export PAYMENTS_DATABASE_URL='${system.runtime.databases.payments}';`);
  });

  it('prints JSON with -o json, and exits 7 with what is known when nothing runs', async () => {
    expect(JSON.parse((await system.run(['status', '-o', 'json'])).stdout)).to.have.property('gateway');
    const home = mkdtempSync(join(tmpdir(), 'tillbox-status-'));
    const away = await runTillbox(['status', '-o', 'env'], {
      home,
      env: { TILLBOX_URL: 'http://127.0.0.1:1' },
    });
    expect(away.code).to.equal(7);
    expect(away.stdout).to.contain("export TILLBOX_URL='http://127.0.0.1:1';");
    rmSync(home, { recursive: true, force: true });
  });
});
