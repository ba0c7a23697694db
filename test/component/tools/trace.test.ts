import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import pg from 'pg';
import { Tracer } from '../../../src/tools/trace/trace.ts';
import type { TraceDocument } from '../../../src/tools/trace/trace-document.ts';
import { useDatabases } from '../../support/databases.ts';
import { refusal } from '../../support/refusal.ts';
import { StepByStep } from '../../support/step-by-step.ts';
import { SteppedQueues } from '../../support/stepped-queues.ts';
import { silentLog } from '../../support/test-server.ts';

describe('tools: trace', () => {
  const databases = useDatabases();
  let services: StepByStep;
  let queues: SteppedQueues;
  let tracer: Tracer;
  let users = 0;

  before(async () => {
    services = await StepByStep.open(databases.adminUrls);
    queues = new SteppedQueues(databases, services);
    tracer = new Tracer({ urls: databases.adminUrls, log: silentLog });
  });
  after(async () => {
    await tracer?.close();
    await services?.close();
  });
  beforeEach(async () => {
    await databases.sql('broker', 'delete from broker.job');
    await databases.sql('orders', 'delete from orders.outbox');
    await databases.sql('payments', 'delete from payments.outbox');
    await databases.sql('broker', 'delete from broker.instance');
  });

  /** A new order of a new user with money. */
  async function newOrder(): Promise<{ id: string; user: string }> {
    users += 1;
    const user = `user-${users}`;
    await services.user(user, 100_00n);
    const [id = ''] = await services.create(user, 40_00n);
    return { id, user };
  }

  const steps = ({ steps: found }: TraceDocument) => found.map(({ step }) => step);
  const places = ({ standing }: TraceDocument) => [standing?.place, standing?.next_step, standing?.number];

  /** Holds a row as somebody else does, until it is let go. */
  async function hold(name: 'orders' | 'payments', text: string): Promise<() => Promise<void>> {
    const client = new pg.Client({
      connectionString: databases.adminUrls[name],
      application_name: 'a careless operator',
    });
    await client.connect();
    await client.query('begin');
    await client.query(text);
    return () => client.end();
  }

  it('follows an order through the six steps', async () => {
    const { id, user } = await newOrder();
    expect(places(await tracer.trace(id))).to.deep.equal(['orders-outbox', 'published', 2]);
    await services.publish('orders');
    expect(places(await tracer.trace(id))).to.deep.equal(['payment-requests', 'received', 3]);
    await queues.deliver('payment-requests');
    expect(places(await tracer.trace(id))).to.deep.equal(['payments-inbox', 'decided', 4]);
    await services.process();
    expect(places(await tracer.trace(id))).to.deep.equal(['payments-outbox', 'published', 5]);
    await services.publish('payments');
    expect(places(await tracer.trace(id))).to.deep.equal(['payment-results', 'settled', 6]);
    await queues.deliver('payment-results');
    const document = await tracer.trace(id);
    expect(steps(document)).to.deep.equal([
      'created',
      'published',
      'received',
      'decided',
      'published',
      'settled',
    ]);
    expect(document).to.deep.include({ final: true, standing: null, duplicates: 0, notes: [], away: [] });
    expect(document.order).to.include({ user_id: user, amount: '40.00', status: 'FINISHED' });
    const times = document.steps.map(({ ms }) => ms ?? 0);
    expect(times.every((ms) => ms >= 0)).to.equal(true);
    expect(times.reduce((sum, ms) => sum + ms, 0)).to.be.closeTo(document.total_ms ?? 0, 1);
  });

  it('tells batch sizes, and duplicates of either message', async () => {
    const { id, user } = await newOrder();
    await services.create(user, 1n, 2n);
    await services.publish('orders');
    await queues.deliver('payment-requests');
    await queues.publishAgain('payment-requests');
    await queues.deliver('payment-requests');
    await services.process();
    await services.publish('payments');
    await queues.deliver('payment-results');
    await queues.publishAgain('payment-results');
    await queues.deliver('payment-results');
    const document = await tracer.trace(id);
    expect(steps(document)).to.deep.equal([
      'created',
      'published',
      'received',
      'published-again',
      'duplicate',
      'decided',
      'published',
      'settled',
      'published-again',
      'duplicate',
    ]);
    expect(document.steps[1]).to.include({ batch: 3 });
    expect(document.duplicates).to.equal(2);
  });

  it('tells what an answer given again led to, long after', async () => {
    const { id } = await newOrder();
    await queues.finish();
    await queues.publishAgain('payment-requests');
    await queues.deliver('payment-requests');
    await services.process();
    await services.publish('payments');
    await queues.deliver('payment-results');
    expect(steps(await tracer.trace(id)).slice(6)).to.deep.equal([
      'published-again',
      'duplicate',
      'published-again',
      'duplicate',
    ]);
  });

  it('tells a dead letter, and its redriving', async () => {
    const { id } = await newOrder();
    await services.publish('orders');
    const good = await databases.sql<{ data: object }>('broker', 'select data from broker.job');
    await databases.sql(
      'broker',
      `update broker.job set data = jsonb_set(data, '{messages,0,data,amount}', '"0.00"')`,
    );
    await queues.deliver('payment-requests');
    await services.publish('payments');
    const refused = await tracer.trace(id);
    expect(steps(refused)).to.deep.equal(['created', 'published', 'dead-letter']);
    expect(refused.standing).to.deep.include({ place: 'dead-letters' });
    const letter = refused.steps[2]?.dead_letter_id ?? '';
    expect(refused.standing?.commands).to.include(`tillbox dead-letters redrive ${letter}`);
    // As redriving does it: the letter stays, done, and its job is back under its id, mended here.
    await databases.sql(
      'broker',
      `update broker.job set state = 'completed', completed_on = clock_timestamp(),
              output = '{"action": "redriven", "who": "eve"}' where id = $1`,
      [letter],
    );
    await databases.sql(
      'broker',
      `insert into broker.job (id, name, data) values ($1, 'payment-requests', $2)`,
      [letter, JSON.stringify(good[0]?.data)],
    );
    await queues.deliver('payment-requests');
    await services.process();
    const document = await tracer.trace(id);
    expect(steps(document)).to.deep.equal([
      'created',
      'published',
      'dead-letter',
      'redriven',
      'received',
      'decided',
    ]);
    expect(document.duplicates).to.equal(0);
  });

  it('names who holds the account, and nobody when it is let go', async () => {
    const { id, user } = await newOrder();
    await services.publish('orders');
    await queues.deliver('payment-requests');
    const release = await hold(
      'payments',
      `select from payments.accounts where user_id = '${user}' for no key update`,
    );
    try {
      const { standing } = await tracer.trace(id);
      const reason = standing?.reasons.find(({ reason: name }) => name === 'account-held');
      expect(reason?.detail).to.match(/the account is held by a careless operator \(backend \d+, role /);
      expect(standing?.commands[0]).to.match(/tillbox up/);
      expect(standing?.commands.join()).to.match(/pg_terminate_backend\(\d+\)/);
    } finally {
      await release();
    }
    expect((await tracer.trace(id)).standing?.reasons.map(({ reason }) => reason)).to.not.include(
      'account-held',
    );
  });

  it('tells a row in the outbox that somebody holds, and how many are before it', async () => {
    const { id } = await newOrder();
    const later = await newOrder();
    const release = await hold('orders', 'select from orders.outbox for update');
    try {
      const { standing } = await tracer.trace(id);
      expect(standing?.reasons.map(({ reason }) => reason)).to.include('row-held');
      expect((await tracer.trace(later.id)).standing?.detail).to.contain('behind one other');
    } finally {
      await release();
    }
  });

  it('says since when no daemon runs', async () => {
    const { id } = await newOrder();
    await databases.sql(
      'broker',
      `insert into broker.instance (id, name, host, pid, version, node_version, heartbeat_seconds, supervise,
                                    schedule, migrate, persist_queue_stats, persist_warnings, started_on, stopped_on)
       values (gen_random_uuid(), 'orders', 'here', 7, '1', '1', 30, false, false, false, false, false,
               now() - interval '1 hour', '2026-01-31T12:00:00Z')`,
    );
    const { standing } = await tracer.trace(id);
    expect(standing?.reasons[0]).to.include({ reason: 'daemon-down', since: '2026-01-31T12:00:00.000Z' });
  });

  it('says that nothing is on its way when that is so', async () => {
    const { id } = await newOrder();
    await databases.sql('orders', 'delete from orders.outbox');
    const { standing } = await tracer.trace(id);
    expect(standing).to.deep.include({ place: 'nowhere' });
    expect(standing?.reasons.map(({ reason }) => reason)).to.include('lost');
  });

  it('tells what is left when jobs and inbox are gone', async () => {
    const { id } = await newOrder();
    await queues.finish();
    await databases.sql('broker', 'delete from broker.job');
    await databases.sql('payments', 'delete from payments.inbox');
    const document = await tracer.trace(id);
    expect(document.steps.map(({ at }) => at === null)).to.deep.equal([
      false,
      true,
      true,
      false,
      true,
      false,
    ]);
    expect(document.final).to.equal(true);
  });

  it('tells what it can while a database is away, and nothing of an order nobody knows', async () => {
    const { id } = await newOrder();
    await queues.finish();
    const nowhere = 'postgres://nobody@127.0.0.1:1/nowhere';
    const partly = new Tracer({ urls: { ...databases.adminUrls, payments: nowhere }, log: silentLog });
    const document = await partly.trace(id);
    await partly.close();
    expect(document.away.map(({ database }) => database)).to.deep.equal(['payments']);
    expect(document.steps.map(({ at }) => at === null)).to.deep.equal([
      false,
      false,
      true,
      true,
      false,
      false,
    ]);
    await refusal('order-not-found', () => tracer.trace(randomUUID()));
    const away = new Tracer({
      urls: { orders: nowhere, payments: nowhere, broker: nowhere },
      log: silentLog,
    });
    await refusal('unavailable', () => away.trace(id));
    await away.close();
  });
});
