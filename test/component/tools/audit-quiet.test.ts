import { expect } from 'chai';
import type { DatabaseUrls } from '../../../src/system/migrate.ts';
import { audit } from '../../../src/tools/audit/audit.ts';
import { type Invariant, invariants } from '../../../src/tools/audit/findings.ts';
import { found, nothingInFlight, useAuditedDatabases } from '../../support/audited-databases.ts';

/** One way to break an invariant of a quiet system, and what the audit must say, in full. */
interface Break {
  what: string;
  database: keyof DatabaseUrls;
  sql: string;
  expected: `${Invariant} ${string}`[];
  /** Whether it is found at once: nothing is on its way, so that the audit needs not wait. */
  atOnce?: true;
}

const orderId = '0199f0a4-5f6b-7c3e-9d2a-3b1f0c8e7d65';
const message = `'{"subject":"${orderId}"}'::json`;

function newOrder(createdAgo: string): string {
  return `insert into orders.orders (id, user_id, amount, created_at)
          values ('${orderId}', 'simple', 1, now() - interval '${createdAgo}');
          insert into orders.waiting (order_id) values ('${orderId}')`;
}

function job(queue: string, state: string, startedAgo: string): string {
  return `insert into broker.job (name, state, expire_seconds, started_on, data)
          values ('${queue}', '${state}', 10, now() - interval '${startedAgo}', '{"messages":[{"subject":"${orderId}"}]}')`;
}

function deadLetter(queue: string, reason: string, state = 'created'): string {
  const data = { messages: [{ subject: orderId }], dead_letter: { reason, detail: 'why it is here' } };
  return `insert into broker.job (name, state, data) values ('${queue}-dead-letters', '${state}', '${JSON.stringify(data)}')`;
}

const breaks: Break[] = [
  {
    what: 'an order that was decided and is not settled, and nothing is on its way for it',
    database: 'orders',
    sql: `with undone as (
            update orders.orders set status = 'NEW', settled_at = null, created_at = now() - interval '1 hour'
             where user_id = 'simple' returning id)
          insert into orders.waiting (order_id) select id from undone returning order_id`,
    expected: ['decided-is-settled ORDER'],
  },
  {
    what: 'an order that is NEW for an hour, and nothing is on its way for it',
    database: 'orders',
    sql: `with lost as (
            insert into orders.orders (id, user_id, amount, created_at)
            values ('${orderId}', 'simple', 1, now() - interval '1 hour') returning id)
          insert into orders.waiting (order_id) select id from lost returning order_id`,
    expected: ['new-order-in-time ORDER'],
  },
  {
    what: 'a message that is never published by orders',
    database: 'orders',
    sql: `insert into orders.outbox (queue, messages, message_count)
          values ('payment-requests', json_build_array(${message}), 1)`,
    expected: [`outboxes-empty ${orderId}`],
  },
  {
    what: 'a message that is never published by payments',
    database: 'payments',
    sql: `insert into payments.outbox (queue, messages, message_count)
          values ('payment-results', json_build_array(${message}), 1)`,
    expected: [`outboxes-empty ${orderId}`],
  },
  {
    what: 'a request that nobody receives',
    database: 'broker',
    sql: job('payment-requests', 'created', '0 s'),
    expected: [`queues-empty ${orderId}`],
  },
  {
    what: 'a result that fails again and again',
    database: 'broker',
    sql: job('payment-results', 'retry', '1 s'),
    expected: [`queues-empty ${orderId}`],
  },
  {
    what: 'a job that is active beyond its lease',
    database: 'broker',
    sql: job('payment-requests', 'active', '16 s'),
    expected: [`queues-empty ${orderId}`, `job-within-lease ${orderId}`],
  },
  {
    what: 'a request in the inbox that nobody decides',
    database: 'payments',
    sql: `insert into payments.inbox (message_id, order_id, user_id, amount, job_id)
          values (gen_random_uuid(), '${orderId}', 'simple', 1, 'a-job')`,
    expected: [`inbox-empty ${orderId}`],
  },
  {
    what: 'a request that differs from its decision',
    database: 'broker',
    sql: deadLetter('payment-requests', 'contradicts-decision'),
    expected: [`no-contradiction ${orderId}`],
    atOnce: true,
  },
  {
    what: 'a result that differs from its order',
    database: 'broker',
    sql: deadLetter('payment-results', 'contradicts-order'),
    expected: [`no-contradiction ${orderId}`],
    atOnce: true,
  },
  {
    what: 'a result for an order that does not exist',
    database: 'broker',
    sql: deadLetter('payment-results', 'unknown-order', 'retry'),
    expected: [`no-contradiction ${orderId}`],
    atOnce: true,
  },
  {
    what: 'a dead letter that no operator has seen to',
    database: 'broker',
    sql: deadLetter('payment-requests', 'invalid-message'),
    expected: [`dead-letters-acknowledged ${orderId}`],
    atOnce: true,
  },
  {
    // By arithmetic it never comes alone: one of the orders must be wrong as well.
    what: 'FINISHED orders that do not sum up to the debits',
    database: 'orders',
    sql: `update orders.orders set amount = amount - 1 where user_id = 'simple' returning id as order_id`,
    expected: ['decision-equals-order ORDER', 'finished-equals-debits all'],
    atOnce: true,
  },
];

describe('tillbox audit, of a quiet system broken on purpose', () => {
  const databases = useAuditedDatabases();

  for (const { what, database, sql, expected, atOnce } of breaks) {
    it(`finds ${what}`, async () => {
      const urls = await databases.copyOf('quiet');
      const [row] = await databases.tamper(urls[database], sql);
      const orders = expected.map((line) => line.replace('ORDER', row?.['order_id'] ?? 'no order'));
      const unwaited = await audit(urls);
      expect(found(unwaited)).to.have.members(atOnce ? orders : []);
      const report = atOnce ? unwaited : await audit(urls, { waitMs: 600, stillMs: 500 });
      expect(found(report)).to.have.members(orders);
      expect(report.ok).to.equal(false);
    });
  }

  it('breaks every invariant that holds when quiet', () => {
    const broken = new Set(breaks.flatMap(({ expected }) => expected.map((line) => line.split(' ')[0])));
    const quiet = Object.entries(invariants).filter(([, sentence]) => sentence.startsWith('When quiet'));
    expect(broken).to.include.keys(...quiet.map(([invariant]) => invariant));
  });

  it('says the reason of a contradiction', async () => {
    const urls = await databases.copyOf('quiet');
    await databases.tamper(urls.broker, deadLetter('payment-results', 'contradicts-order'));
    const { violations } = await audit(urls);
    expect(violations[0]?.detail).to.match(
      /^contradicts-order; why it is here; job [-0-9a-f]{36} of payment-results-dead-letters$/,
    );
  });

  it('leaves dead letters alone that were discarded', async () => {
    const urls = await databases.copyOf('quiet');
    await databases.tamper(urls.broker, deadLetter('payment-results', 'contradicts-order', 'completed'));
    expect((await audit(urls)).ok).to.equal(true);
  });

  it('leaves an order alone that is NEW for long while its message is on its way', async () => {
    const urls = await databases.copyOf('quiet');
    const order = newOrder('1 hour');
    await databases.tamper(urls.orders, order);
    await databases.tamper(urls.broker, job('payment-requests', 'created', '0 s'));
    const report = await audit(urls, { waitMs: 100 });
    expect(report.violations).to.deep.equal([]);
    expect(report.in_flight).to.deep.equal({ ...nothingInFlight, new_orders: 1, payment_requests: 1 });
  });

  it('leaves an order alone that is NEW for less than 30 s, and a job within its lease', async () => {
    const urls = await databases.copyOf('quiet');
    const order = newOrder('20 s');
    await databases.tamper(urls.orders, order);
    await databases.tamper(urls.broker, job('payment-requests', 'active', '9 s'));
    expect((await audit(urls, { waitMs: 100 })).ok).to.equal(true);
  });
});
