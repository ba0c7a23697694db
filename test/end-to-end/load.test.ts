import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { LiveFigures } from '../../src/tools/load/live-view.ts';
import { runLoad } from '../../src/tools/load/load.ts';
import type { LoadReport } from '../../src/tools/load/load-report.ts';
import { runTillbox, useSystem } from '../support/running-system.ts';
import { createTestDatabases } from '../support/test-server.ts';

const small = {
  orders: 10,
  clients: 2,
  users: 2,
  amountMin: 100n,
  amountMax: 100n,
  seed: 1,
  drainMs: 20_000,
};

describe('tillbox load, on a whole system', () => {
  const system = useSystem();
  const elsewhere = mkdtempSync(join(tmpdir(), 'tillbox-test-'));
  after(() => rmSync(elsewhere, { recursive: true, force: true }));

  const load = (...words: string[]) => system.json<LoadReport>(['load', '--users', '20', ...words]);

  it('settles every order as its user has money or not, and the audit agrees', async () => {
    const report = await load('--orders', '300', '--overdraft', '20%', '--hot', '0.5', '--amount', '1..9');
    expect(report).to.include({ orders: 300, accepted: 300, errors: 0, unsettled: 0, lost: 0, doubled: 0 });
    expect(report.finished + report.canceled).to.equal(300);
    expect(report.canceled).to.be.within(20, 120);
    expect(report.audit?.ok).to.equal(true);
    expect(report.settle_source).to.equal('databases');
    for (const figures of [report.accept_ms, report.settle_ms]) {
      const rising = [0, figures.p50, figures.p95, figures.p99, figures.max].map(Number);
      expect(rising).to.deep.equal(rising.toSorted((a, b) => a - b));
      expect(rising[1]).to.be.greaterThan(0);
    }
  });

  it('reads the same at the gateway when no database is at hand, and says so', async () => {
    const words = ['load', '--orders', '60', '--users', '7', '--overdraft', '50%', '--seed', '3'];
    const environment = { TILLBOX_URL: system.url };
    for (const name of [
      'DATABASE_URL',
      'ORDERS_DATABASE_URL',
      'PAYMENTS_DATABASE_URL',
      'BROKER_DATABASE_URL',
    ])
      Object.assign(environment, { [name]: '' });
    const { code, stdout } = await runTillbox([...words, '--json'], { home: elsewhere, env: environment });
    expect(code).to.equal(0);
    const report: LoadReport = JSON.parse(stdout);
    expect(report).to.include({ settle_source: 'gateway', audit: null, unsettled: 0, lost: 0 });
    const inDatabases = await load('--orders', '60', '--users', '7', '--overdraft', '50%', '--seed', '3');
    const { finished, canceled } = report;
    expect(inDatabases).to.include({ finished, canceled });
  });

  it('reads at the gateway when the databases at hand are away, or of another system', async function () {
    this.timeout(90_000);
    const others = await createTestDatabases();
    const nowhere = 'postgres://127.0.0.1:9/x';
    const away = { orders: nowhere, payments: nowhere, broker: nowhere };
    try {
      for (const [databases, reason] of [
        [others.urls, 'not those of this gateway'],
        [away, 'could not be read'],
      ] as const) {
        const notices: string[] = [];
        const events = { phase: () => {}, progress: () => {}, notice: (text: string) => notices.push(text) };
        const { report } = await runLoad({ gateway: { url: system.url }, ...small, databases }, events);
        expect(report).to.include({ settle_source: 'gateway', finished: 10, audit: null });
        expect(notices.join()).to.contain(reason);
      }
    } finally {
      await others.drop();
    }
  });

  it('exits 8 for a threshold that is missed, and says which', async () => {
    const words = ['load', '--orders', '20', '--users', '2', '--threshold', 'settle.max<1us', '--no-audit'];
    const { code, stdout } = await system.run(words);
    expect(code).to.equal(8);
    expect(stdout)
      .to.match(/missed +settle\.max<1us/)
      .and.not.to.contain('Audit');
  });

  it('loses nothing when the gateway is killed and started again under it', async function () {
    this.timeout(90_000);
    let killed = false;
    const events = {
      phase: () => {},
      notice: () => {},
      progress: (figures: LiveFigures) => {
        if (killed || figures.kind !== 'orders' || figures.accepted === 0) return;
        killed = true;
        process.kill(system.runtime.gateway.pid, 'SIGKILL');
      },
    };
    const { orders: _, ...endless } = small;
    const { databases } = system.runtime;
    const { report } = await runLoad(
      { gateway: { url: system.url }, ...endless, durationMs: 5_000, databases },
      events,
    );
    expect(killed).to.equal(true);
    expect(report).to.include({ errors: 0, lost: 0, doubled: 0, unsettled: 0 });
    expect(report.retries).to.be.greaterThan(0);
    expect(report.audit?.ok).to.equal(true);
  });

  it('writes a report with charts of what was accepted and settled', async () => {
    const file = join(elsewhere, 'report.html');
    await load('--orders', '200', '--html', file);
    const html = readFileSync(file, 'utf8');
    expect(html.match(/<svg/g)?.length).to.equal(5);
    expect(html).not.to.match(/NaN|undefined|Infinity/);
  });
});
