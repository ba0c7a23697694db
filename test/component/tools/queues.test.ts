import { expect } from 'chai';
import { roleUrl } from '../../../src/system/roles.ts';
import { Queues, type QueueView } from '../../../src/tools/queues.ts';
import { useDatabases } from '../../support/databases.ts';
import { silentLog } from '../../support/test-server.ts';

describe('tools: queues', () => {
  const databases = useDatabases();
  let queues: Queues;

  before(async () => {
    const auditor = async (name: 'orders' | 'payments' | 'broker') =>
      roleUrl(databases.adminUrls[name], 'auditor', silentLog);
    const urls = {
      orders: await auditor('orders'),
      payments: await auditor('payments'),
      broker: await auditor('broker'),
    };
    queues = new Queues({ urls, log: silentLog });
  });
  after(() => queues?.close());
  beforeEach(async () => {
    await databases.sql('broker', 'delete from broker.job');
    await databases.sql('orders', 'delete from orders.outbox');
    await databases.sql('payments', 'delete from payments.inbox');
  });

  async function measured(name: string): Promise<QueueView> {
    const document = await queues.measure();
    const found = document.queues.find((queue) => queue.name === name);
    if (found === undefined) throw new Error(`no queue ${name}`);
    return found;
  }

  /** Puts jobs into a queue, each with as many messages; `columns` as SQL sets what else they have. */
  async function put(queue: string, jobs: number, messages: number, columns: Record<string, string> = {}) {
    const names = Object.keys(columns).map((column) => `, ${column}`);
    const values = Object.values(columns).map((value) => `, ${value}`);
    await databases.sql(
      'broker',
      `insert into broker.job (name, data${names.join('')})
       select $1, jsonb_build_object('messages', (select jsonb_agg(i) from generate_series(1, $3) i))${values.join('')}
         from generate_series(1, $2)`,
      [queue, jobs, messages],
    );
  }

  it('names every place a message passes, in its order, all empty at first', async () => {
    const document = await queues.measure();
    expect(document.queues.map(({ name, depth, oldest_s }) => [name, depth, oldest_s])).to.deep.equal([
      ['orders-outbox', 0, null],
      ['payment-requests', 0, null],
      ['payments-inbox', 0, null],
      ['payments-outbox', 0, null],
      ['payment-results', 0, null],
      ['payment-requests-dead-letters', 0, null],
      ['payment-results-dead-letters', 0, null],
    ]);
    expect(document.dead_letters).to.equal(0);
    expect(Date.parse(document.at)).to.be.a('number').and.not.NaN;
  });

  it('counts messages, not jobs, and tells those in flight and retried from those that wait', async () => {
    const longAgo = `now() - interval '1 hour'`;
    await put('payment-requests', 2, 100);
    await put('payment-requests', 1, 50, { state: `'retry'`, retry_count: '3', created_on: longAgo });
    await put('payment-requests', 1, 7, { state: `'active'`, retry_count: '1', started_on: 'now()' });
    await put('payment-requests', 1, 9, { state: `'completed'`, created_on: longAgo, completed_on: longAgo });
    const queue = await measured('payment-requests');
    expect(queue).to.deep.include({ depth: 250, estimated: false, in_flight: 7, retrying_jobs: 2 });
    expect(queue.oldest_s).to.be.within(3_600, 3_660);
    expect((await measured('payment-results')).depth).to.equal(0);
  });

  it('counts what is no batch as one message, as a receiver does', async () => {
    for (const data of ['null', '5', '[]', '{}', '{"messages": 5}']) {
      await databases.sql(
        'broker',
        `insert into broker.job (name, data) values ('payment-results', $1::jsonb)`,
        [data],
      );
    }
    expect((await measured('payment-results')).depth).to.equal(5);
  });

  it('gives rates over the last five seconds, in messages', async () => {
    const recent = `now() - interval '1 second'`;
    const before = `now() - interval '6 seconds'`;
    await put('payment-results', 2, 10, { state: `'completed'`, created_on: before, completed_on: recent });
    await put('payment-results', 1, 100, { state: `'completed'`, created_on: before, completed_on: before });
    await put('payment-results', 1, 5);
    expect(await measured('payment-results')).to.deep.include({ in_per_s: 1, out_per_s: 4 });
  });

  it('estimates a long queue from its ends, and says so', async () => {
    await put('payment-results', 3_000, 2);
    expect(await measured('payment-results')).to.deep.include({ depth: 6_000, estimated: true });
  });

  it('counts the messages in outbox rows, and inbox rows that wait to be processed', async () => {
    await databases.sql(
      'orders',
      `insert into orders.outbox (queue, messages, message_count, created_at)
       select 'payment-requests', '[{},{}]', 2, now() - interval '90 seconds' from generate_series(1, 3)`,
    );
    await databases.sql(
      'payments',
      `insert into payments.inbox (message_id, order_id, user_id, amount, job_id, received_at, processed_at)
       select gen_random_uuid(), gen_random_uuid(), 'u', 1, 'x', now() - interval '20 seconds',
              case when i > 2 then now() end
         from generate_series(1, 7) i`,
    );
    const outbox = await measured('orders-outbox');
    expect(outbox).to.deep.include({ depth: 6, estimated: false, in_flight: null, in_per_s: null });
    expect(outbox.oldest_s).to.be.within(90, 120);
    const inbox = await measured('payments-inbox');
    expect(inbox.depth).to.equal(2);
    expect(inbox.oldest_s).to.be.within(20, 50);
  });

  it('counts dead letters that wait, not those that were dealt with', async () => {
    await put('payment-requests-dead-letters', 2, 1);
    await put('payment-results-dead-letters', 1, 1);
    await put('payment-results-dead-letters', 4, 1, { state: `'completed'`, completed_on: 'now()' });
    const document = await queues.measure();
    expect(document.dead_letters).to.equal(3);
    expect((await measured('payment-results-dead-letters')).depth).to.equal(1);
  });
});
