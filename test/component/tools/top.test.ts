import { expect } from 'chai';
import { Top } from '../../../src/tools/top/top.ts';
import type { Health, TopDocument } from '../../../src/tools/top/top-document.ts';
import { useDatabases } from '../../support/databases.ts';
import { eventually } from '../../support/eventually.ts';
import { StepByStep } from '../../support/step-by-step.ts';
import { SteppedQueues } from '../../support/stepped-queues.ts';
import { silentLog } from '../../support/test-server.ts';

const health: Health = {
  gateway: { url: 'http://127.0.0.1:1', ready: true },
  orders: [{ pid: 1, ready: true }],
  payments: [{ pid: 2, ready: true }],
};

describe('tools: top', () => {
  const databases = useDatabases();
  let services: StepByStep;
  let queues: SteppedQueues;
  const tops: Top[] = [];

  before(async () => {
    services = await StepByStep.open(databases.adminUrls);
    queues = new SteppedQueues(databases, services);
    await services.user('alice', 100_00n);
  });
  after(() => services?.close());
  beforeEach(() => databases.sql('broker', 'delete from broker.job'));
  afterEach(async () => {
    for (const top of tops.splice(0)) await top.close();
  });

  function open(urls = databases.adminUrls, ask = async () => health): Top {
    const top = new Top({ urls, health: ask, log: silentLog });
    tops.push(top);
    return top;
  }

  const details = ({ events }: TopDocument) => events.map(({ event, detail }) => `${event}: ${detail}`);

  /** Lets what happened until now be old enough to be told. */
  const age = () =>
    databases.sql(
      'broker',
      `update broker.job set created_on = created_on - interval '2 seconds', started_on = started_on - interval '2 seconds',
                             completed_on = completed_on - interval '2 seconds' where name like '%-dead-letters' or state = 'retry'`,
    );

  it('measures every step on orders that were settled lately', async () => {
    await services.create('alice', 1n, 2n, 3n);
    await queues.finish();
    const document = await open().measure();
    expect(document.latencies_ms.map(({ step, orders }) => [step, orders])).to.deep.equal([
      // The first and the last order of a batch.
      ['published', 2],
      ['received', 2],
      ['decided', 2],
      ['published', 2],
      ['settled', 2],
      ['order', 2],
    ]);
    const p50s = document.latencies_ms.map(({ p50 }) => p50 ?? Number.NaN);
    expect(p50s.slice(0, 5).reduce((sum, ms) => sum + ms, 0)).to.be.closeTo(p50s[5] ?? 0, 1);
    expect(document.rates.created_per_s).to.equal(0.6);
    expect(document.rates).to.include({ received_per_s: 0.6, decided_per_s: 0.6, settled_per_s: 0.6 });
    expect(document).to.deep.include({ health, away: [], notes: [], dead_letters: 0 });
    expect(document.queues).to.have.length(7);
  });

  it('counts an order once, however often it measures', async () => {
    await services.create('alice', 4n);
    await queues.finish();
    const top = open();
    await top.measure();
    expect((await top.measure()).latencies_ms.at(-1)?.orders).to.equal(1);
  });

  it('tells dead letters, retries, sweeps and what was done about them, each once', async () => {
    await databases.sql(
      'broker',
      `insert into broker.job (name, data) select 'payment-requests-dead-letters', '{"messages": [1], "dead_letter": {"reason": "unknown-type"}}'
         from generate_series(1, 3)`,
    );
    await databases.sql(
      'broker',
      `insert into broker.job (name, data, state, completed_on, output)
       values ('payment-results-dead-letters', '{}', 'completed', now(), '{"action": "redriven", "who": "eve"}')`,
    );
    await databases.sql(
      'broker',
      `insert into broker.job (name, data, state, retry_count, started_on, output)
       values ('payment-results', '{}', 'retry', 1, now(), '{"message": "disk full"}')`,
    );
    const [id] = await services.create('alice', 5n);
    await databases.sql(
      'orders',
      `update orders.waiting set requested_at = now() - interval '2 seconds', request_count = 2 where order_id = $1`,
      [id],
    );
    await age();
    const top = open();
    const document = await top.measure();
    expect(details(document)).to.have.members([
      'dead-letter: 3 messages of payment-requests refused: unknown-type',
      'dead-letter: a message of payment-results refused: broker-gave-up',
      'redriven: a dead letter redriven to payment-results',
      'retry: a job of payment-results failed and will be tried again: disk full',
      'sweep: the sweep requested the payment of an order again',
    ]);
    expect(document.dead_letters).to.equal(3);
    expect(details(await top.measure())).to.deep.equal([]);
  });

  it('tells daemons that went away and came back', async () => {
    let now = health;
    const top = open(databases.adminUrls, async () => now);
    await top.measure();
    now = { ...health, payments: [{ pid: 2, ready: false }] };
    expect(details(await top.measure())).to.deep.equal([
      'daemon-away: payments does not answer, or is not ready',
    ]);
    now = health;
    expect(details(await top.measure())).to.deep.equal(['daemon-back: payments is ready']);
  });

  it('goes on with the rest while a database is away', async () => {
    await services.create('alice', 6n);
    await queues.finish();
    const payments = 'postgres://nobody@127.0.0.1:1/nowhere';
    const document = await open({ ...databases.adminUrls, payments }).measure();
    expect(document.away.map(({ database }) => database)).to.deep.equal(['payments']);
    expect(details(document)[0]).to.match(/^database-away: the payments database is away/);
    expect(document.queues.map(({ name }) => name))
      .to.include('orders-outbox')
      .and.not.include('payments-outbox');
    expect(document.latencies_ms.at(-1)?.orders).to.be.greaterThan(0);
    expect(document.latencies_ms[2]?.p50).to.equal(null);
    const broker = payments;
    const without = await open({ ...databases.adminUrls, broker }).measure();
    expect(without).to.deep.include({ dead_letters: null });
    expect(without.rates.settled_per_s).to.equal(null);
  });

  it('does not wait for daemons that do not answer', async () => {
    const top = open(databases.adminUrls, () => new Promise(() => {}));
    await eventually(async () => {
      const document = await top.measure();
      expect(document.health).to.equal(null);
      expect(document.queues).to.have.length(7);
    });
  });
});
