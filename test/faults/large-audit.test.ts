import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import pg from 'pg';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/platform/embedded-postgres.ts';
import { migrate } from '../../src/system/migrate.ts';
import type { AuditReport } from '../../src/tools/audit/audit.ts';
import { seedSettledOrders } from '../bench/seed.ts';
import { tell } from '../support/order-load.ts';
import { silentLog } from '../support/test-server.ts';

const executable = fileURLToPath(new URL('../../dist/bin/tillbox.js', import.meta.url));
const orders = Number(process.env['AUDIT_ORDERS'] ?? 1_000_000);
const accounts = 10_000;
/** What is promised of a million, on a machine that has nothing else to do; what it has takes its share. */
const secondsMax = 20;
const shareOfOthers = () => Math.max(1, (loadavg()[0] ?? 0) / availableParallelism());
const memoryMbMax = 200;
const sampleMs = 20;

/** Every row disagrees with another: statuses with decisions, amounts with debits, balances with entries. */
const everythingWrong = `
  set session_replication_role = replica;
  update orders.orders set status = 'CANCELED', reason = 'INSUFFICIENT_FUNDS', amount = amount + 1;
  update payments.decisions set amount = amount + 2;
  update payments.entries set balance = balance + seq;
  update payments.accounts set balance = balance + 7, entry_count = entry_count + 1;`;

describe('faults: a million orders to audit', () => {
  const home = mkdtempSync(join(tmpdir(), 'tillbox-test-'));
  let server: EmbeddedPostgres;
  let admin: pg.Client;

  before(async function () {
    this.timeout(600_000);
    server = await startEmbeddedPostgres({
      folder: '',
      ephemeral: true,
      fsync: false,
      settings: { max_wal_size: '4GB' },
    });
    const { url } = server;
    await migrate({ orders: url, payments: url, broker: url }, silentLog);
    admin = new pg.Client({ connectionString: url });
    await admin.connect();
    await seedSettledOrders(admin, { orders, accounts });
  });
  after(async function () {
    this.timeout(60_000);
    await admin?.end();
    await server?.stop();
    rmSync(home, { recursive: true, force: true });
  });

  /** Runs the command as a user does; `mb` is the most memory it ever had, where /proc tells. */
  async function audit(): Promise<{ report: AuditReport; code: number | null; seconds: number; mb: number }> {
    const since = performance.now();
    const child = spawn(process.execPath, [executable, 'audit', '--json'], {
      env: { PATH: process.env['PATH'], TILLBOX_HOME: home, DATABASE_URL: server.url },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let mb = 0;
    const sampling = setInterval(() => {
      const [, kb] = /VmHWM:\s+(\d+)/.exec(readStatus(child.pid)) ?? [];
      mb = Math.max(mb, Math.round(Number(kb ?? 0) / 1_000));
    }, sampleMs);
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    let text = '';
    for await (const chunk of child.stdout.setEncoding('utf8')) text += chunk;
    const code = await ended;
    clearInterval(sampling);
    return { report: JSON.parse(text), code, seconds: (performance.now() - since) / 1_000, mb };
  }

  it('finds nothing in what is right, in time and memory that are promised', async function () {
    this.timeout(300_000);
    const { report, code, seconds, mb } = await audit();
    tell(this, `${orders} orders in ${seconds.toFixed(1)} s and ${mb} MB`);
    expect(report.violations).to.deep.equal([]);
    expect(code).to.equal(0);
    expect(report.checked).to.deep.equal({ accounts, entries: orders + accounts, orders, decisions: orders });
    expect(mb).to.be.below(memoryMbMax);
    expect(seconds).to.be.below(secondsMax * shareOfOthers());
  });

  it('names what is wrong, in the same, when no row is right', async function () {
    this.timeout(600_000);
    await admin.query(everythingWrong);
    await admin.query('vacuum (analyze)');
    const { report, code, seconds, mb } = await audit();
    const named = new Set(report.violations.map(({ invariant }) => invariant));
    tell(this, `${named.size} invariants in ${seconds.toFixed(1)} s and ${mb} MB`);
    expect(code).to.equal(8);
    expect([...named]).to.include.members([
      'balance-equals-entries',
      'entries-without-hole',
      'entry-follows-entry',
      'debit-equals-decision',
      'status-equals-decision',
      'decision-equals-order',
    ]);
    expect(mb).to.be.below(memoryMbMax);
  });
});

function readStatus(pid: number | undefined): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    return '';
  }
}
