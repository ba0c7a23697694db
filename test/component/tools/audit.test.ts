import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import pg from 'pg';
import { CodedError } from '../../../src/platform/errors.ts';
import { roleUrl } from '../../../src/system/roles.ts';
import { audit } from '../../../src/tools/audit/audit.ts';
import { Findings } from '../../../src/tools/audit/findings.ts';
import { SecondLook } from '../../../src/tools/audit/second-look.ts';
import { TcpLink } from '../../../src/tools/chaos/tcp-link.ts';
import {
  busyInFlight,
  history,
  nothingInFlight,
  useAuditedDatabases,
} from '../../support/audited-databases.ts';
import { StepByStep } from '../../support/step-by-step.ts';
import { silentLog } from '../../support/test-server.ts';

describe('tillbox audit', () => {
  const databases = useAuditedDatabases();

  async function rejection(promise: Promise<unknown>): Promise<unknown> {
    return promise.then(
      () => expect.fail('it resolved'),
      (error) => error,
    );
  }

  it('finds nothing wrong with some hundreds of final orders that were all delivered twice', async () => {
    expect(await audit(await databases.copyOf('quiet'))).to.deep.equal({
      ok: true,
      checked: history,
      in_flight: nothingInFlight,
      violations: [],
    });
  });

  it('counts what is on its way by step, and finds nothing wrong with it, however long it waits', async () => {
    const urls = await databases.copyOf('busy');
    for (const waitMs of [0, 50]) {
      const report = await audit(urls, { waitMs });
      expect(report.violations).to.deep.equal([]);
      expect(report.in_flight).to.deep.equal(busyInFlight);
    }
  });

  it('counts a batch by its messages, and what is no batch as one', async () => {
    const urls = await databases.copyOf('quiet');
    await databases.tamper(
      urls.broker,
      `insert into broker.job (name, data) values ('payment-results', '{"messages":[1,2,3]}'),
         ('payment-results', '"text"'), ('payment-results', null), ('payment-results', '{"messages":{}}')`,
    );
    expect((await audit(urls)).in_flight).to.deep.equal({ ...nothingInFlight, payment_results: 6 });
  });

  it('ends its wait as soon as it is quiet', async () => {
    const urls = await databases.copyOf('busy');
    const services = await StepByStep.open(urls);
    const waiting = audit(urls, { waitMs: 25_000 });
    try {
      const requests = await services.taken('orders');
      await services.receive(requests);
      await services.process();
      await services.settle(await services.taken('payments'));
      // What lies in the queues, the broker would deliver.
      await databases.tamper(urls.broker, `delete from broker.job where name = 'payment-results'`);
      await databases.tamper(urls.broker, `delete from broker.job where name = 'payment-requests'`);
      await databases.tamper(
        urls.orders,
        `update orders.waiting set requested_at = now() - interval '1 hour'`,
      );
      const { sweepOrders } = await import('../../../src/orders/sweep-orders.ts');
      const { Outbox } = await import('../../../src/messaging/outbox.ts');
      await sweepOrders(services.orders, new Outbox('orders'));
      await services.finish();
      const report = await waiting;
      expect(report.violations).to.deep.equal([]);
      expect(report.in_flight).to.deep.equal(nothingInFlight);
      expect(report.checked.orders).to.equal(history.orders + busyInFlight.new_orders);
    } finally {
      await services.close();
    }
  });

  it('finds nothing wrong, again and again, while orders pour in and are paid', async () => {
    const urls = await databases.copyOf('quiet');
    const services = await StepByStep.open(urls);
    await services.user('pouring', 1_000_000_00n);
    // A slow way to payments: many an order is created and decided between the two snapshots.
    const payments = new URL(urls.payments);
    const link = new TcpLink({ host: payments.hostname, port: Number(payments.port || 5432) });
    payments.port = String(await link.start());
    link.set({ delayMs: 20 });
    let isOver = false;
    const work = (async () => {
      for (let round = 0; !isOver; round += 1) {
        const amounts = Array.from({ length: 40 }, (_, at) => BigInt(round * 100 + at + 1));
        await services.create('pouring', ...amounts);
        await services.finish();
      }
    })();
    try {
      for (let round = 0; round < 3; round += 1) {
        const { violations } = await audit({ ...urls, payments: payments.href });
        expect(violations).to.deep.equal([]);
      }
    } finally {
      isOver = true;
      await work;
      await services.close();
      await link.stop();
    }
    const report = await audit(urls);
    expect(report.ok).to.equal(true);
    expect(report.checked.orders).to.be.greaterThan(history.orders + 40);
  });

  it('looks again at what two snapshots disagree about, and drops what came in between', async () => {
    const urls = await databases.copyOf('quiet');
    const [order] = await databases.tamper(
      urls.payments,
      `select order_id, user_id, amount::text, outcome, reason from payments.decisions where user_id = 'simple'`,
    );
    const decision = { ...order, reason: null } as Parameters<SecondLook['add']>[0]['decision'] & object;
    const findings = new Findings();
    const secondLook = new SecondLook(urls, findings);
    try {
      await secondLook.add({ id: decision.order_id, order: undefined, decision });
      await secondLook.flush();
      expect(findings.list()).to.deep.equal([]);
      expect(secondLook.paidLater).to.equal(40_00n);
      const id = randomUUID();
      await databases.tamper(
        urls.payments,
        `insert into payments.decisions (order_id, user_id, amount, outcome) values ('${id}', 'simple', 1, 'paid')`,
      );
      await secondLook.add({ id, order: undefined, decision: { ...decision, order_id: id, amount: '1' } });
      await secondLook.flush();
      expect(findings.list().map(({ invariant }) => invariant)).to.deep.equal(['decision-has-order']);
      expect(secondLook.paidLater).to.equal(40_00n);
    } finally {
      await secondLook.close();
    }
  });

  it('needs no more than the auditor, who can read everything and write nothing', async () => {
    const urls = await databases.copyOf('busy');
    const auditors = {
      orders: await roleUrl(urls.orders, 'auditor', silentLog),
      payments: await roleUrl(urls.payments, 'auditor', silentLog),
      broker: await roleUrl(urls.broker, 'auditor', silentLog),
    };
    expect((await audit(auditors)).checked.orders).to.equal(history.orders + busyInFlight.new_orders);
    const client = new pg.Client({ connectionString: auditors.payments });
    await client.connect();
    const refused = await rejection(client.query('update payments.accounts set balance = 0'));
    await client.end();
    expect((refused as { code: string }).code).to.equal('42501');
  });

  for (const name of ['orders', 'payments', 'broker'] as const) {
    it(`says which database could not be read when that of ${name} is away`, async () => {
      const urls = await databases.copyOf('quiet');
      const away = new URL(urls[name]);
      away.port = '1';
      const error = await rejection(audit({ ...urls, [name]: away.href }));
      expect(error).to.be.instanceOf(CodedError);
      expect(error).to.include({ code: 'unavailable', exitCode: 7 });
      expect((error as Error).message).to.contain(`The ${name} database could not be read`);
    });

    it(`says so when that of ${name} is there but its tables are not`, async () => {
      const urls = await databases.copyOf('quiet');
      await databases.tamper(urls[name], `drop schema ${name} cascade`);
      const error = await rejection(audit(urls));
      expect(error).to.include({ code: 'unavailable', exitCode: 7 });
      expect((error as Error).message)
        .to.contain(name)
        .and.contain('tillbox migrate');
    });
  }

  it('ends at once when it is told to, and leaves no connection behind', async () => {
    const urls = await databases.copyOf('busy');
    const stop = new AbortController();
    const waiting = rejection(audit(urls, { waitMs: 25_000, signal: stop.signal }));
    const connections = `select count(*) from pg_stat_activity
                          where application_name = 'tillbox audit' and datname = current_database()`;
    await eventuallyCount(
      () => databases.tamper(urls.orders, connections),
      (count) => count > 0,
    );
    stop.abort();
    expect(((await waiting) as Error).name).to.equal('AbortError');
    await eventuallyCount(
      () => databases.tamper(urls.orders, connections),
      (count) => count === 0,
    );
  });
});

async function eventuallyCount(
  read: () => Promise<Record<string, string>[]>,
  holds: (count: number) => boolean,
): Promise<void> {
  const { eventually } = await import('../../support/eventually.ts');
  await eventually(async () => {
    const [row] = await read();
    expect(holds(Number(row?.['count']))).to.equal(true);
  });
}
