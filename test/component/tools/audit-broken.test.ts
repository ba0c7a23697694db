import { expect } from 'chai';
import type { DatabaseUrls } from '../../../src/system/migrate.ts';
import { audit } from '../../../src/tools/audit/audit.ts';
import { type Invariant, invariants } from '../../../src/tools/audit/findings.ts';
import { busyInFlight, found, useAuditedDatabases } from '../../support/audited-databases.ts';

/** One way to break an invariant: SQL on one database, and what the audit must say, in full. */
interface Break {
  /** What was done, as a test's name. */
  what: string;
  database: keyof DatabaseUrls;
  /** The last statement answers the order (as `order_id`) that `ORDER` stands for in what is expected. */
  sql: string;
  expected: `${Invariant} ${string}`[];
}

const simpleOrder = `(select order_id from payments.decisions where user_id = 'simple')`;
const poorOrder = `(select order_id from payments.decisions where user_id = 'poor')`;
const anyUuid = `'0199f0a4-5f6b-7c3e-9d2a-3b1f0c8e7d65'`;

/** User `simple`: topped up by 100.00, paid one order of 40.00. User `poor`: has 10.00, an order of 40.00 canceled. */
const breaks: Break[] = [
  {
    what: 'a cent moved from one balance to another',
    database: 'payments',
    sql: `update payments.accounts set balance = balance + case user_id when 'simple' then 1 else -1 end
           where user_id in ('simple', 'poor')`,
    expected: ['balance-equals-entries poor', 'balance-equals-entries simple'],
  },
  {
    what: 'a cent added to a balance, which is money from nowhere too',
    database: 'payments',
    sql: `update payments.accounts set balance = balance + 1 where user_id = 'simple'`,
    expected: ['balance-equals-entries simple', 'money-conserved all'],
  },
  {
    what: 'entries without their account',
    database: 'payments',
    sql: `delete from payments.accounts where user_id = 'simple'`,
    expected: ['balance-equals-entries simple', 'money-conserved all'],
  },
  {
    what: 'a balance that was negative for a while',
    database: 'payments',
    sql: `alter table payments.entries drop constraint entries_balance_check;
          update payments.entries set seq = seq + 10 where user_id = 'simple';
          update payments.entries set seq = 13 - seq, balance = case seq when 12 then -4000 else 6000 end
           where user_id = 'simple'`,
    expected: ['balance-never-negative simple'],
  },
  {
    what: 'a balance that is negative',
    database: 'payments',
    sql: `alter table payments.accounts drop constraint accounts_balance_check;
          alter table payments.entries drop constraint entries_balance_check;
          delete from payments.topups where user_id = 'simple';
          delete from payments.entries where user_id = 'simple' and seq = 1;
          update payments.entries set seq = 1, balance = -4000 where user_id = 'simple';
          update payments.accounts set entry_count = 1, balance = -4000 where user_id = 'simple'`,
    expected: ['balance-never-negative simple', 'balance-never-negative simple'],
  },
  {
    what: 'a hole in the numbers of the entries',
    database: 'payments',
    sql: `update payments.entries set seq = 3 where user_id = 'simple' and seq = 2;
          update payments.accounts set entry_count = 3 where user_id = 'simple'`,
    expected: ['entries-without-hole simple'],
  },
  {
    what: 'entries that do not begin with 1',
    database: 'payments',
    sql: `update payments.entries set seq = seq + 10 where user_id = 'simple';
          update payments.accounts set entry_count = 12 where user_id = 'simple'`,
    expected: ['entries-without-hole simple'],
  },
  {
    what: 'an account that counts its entries wrong',
    database: 'payments',
    sql: `update payments.accounts set entry_count = 7 where user_id = 'simple'`,
    expected: ['entries-without-hole simple'],
  },
  {
    what: 'an entry whose balance does not follow from the one before',
    database: 'payments',
    sql: `update payments.entries set balance = 10500 where user_id = 'simple' and seq = 1`,
    expected: ['entry-follows-entry simple', 'entry-follows-entry simple'],
  },
  {
    // Balances and debits still sum up to the top-ups.
    what: 'money taken for no order',
    database: 'payments',
    sql: `alter table payments.entries drop constraint entries_source;
          insert into payments.entries (user_id, seq, amount, balance) values ('simple', 3, -4000, 2000);
          update payments.accounts set balance = 2000, entry_count = 3 where user_id = 'simple'`,
    expected: ['entry-has-source simple'],
  },
  {
    what: 'money from no top-up',
    database: 'payments',
    sql: `alter table payments.entries drop constraint entries_source;
          insert into payments.entries (user_id, seq, amount, balance) values ('simple', 3, 4000, 10000);
          update payments.accounts set balance = 10000, entry_count = 3 where user_id = 'simple'`,
    expected: ['entry-has-source simple', 'money-conserved all'],
  },
  {
    what: 'an order debited twice',
    database: 'payments',
    sql: `drop index payments.entries_order;
          insert into payments.entries (user_id, seq, amount, balance, order_id)
          values ('simple', 3, -4000, 2000, ${simpleOrder});
          update payments.accounts set balance = 2000, entry_count = 3 where user_id = 'simple';
          select ${simpleOrder} as order_id`,
    expected: ['one-debit-per-order ORDER'],
  },
  {
    what: 'a debit of another amount than was decided',
    database: 'payments',
    sql: `update payments.entries set amount = -3000, balance = 7000 where user_id = 'simple' and seq = 2;
          update payments.accounts set balance = 7000 where user_id = 'simple';
          select ${simpleOrder} as order_id`,
    expected: ['debit-equals-decision ORDER'],
  },
  {
    what: 'a debit from another account than was decided',
    database: 'payments',
    sql: `update payments.entries set user_id = 'customer-0', seq = 18,
                 balance = (select balance - 4000 from payments.accounts where user_id = 'customer-0')
           where user_id = 'simple' and seq = 2;
          update payments.accounts set balance = 10000, entry_count = 1 where user_id = 'simple';
          update payments.accounts set balance = balance - 4000, entry_count = 18 where user_id = 'customer-0';
          select ${simpleOrder} as order_id`,
    expected: ['debit-equals-decision ORDER'],
  },
  {
    what: 'an order decided twice',
    database: 'payments',
    sql: `alter table payments.decisions drop constraint decisions_pkey;
          insert into payments.decisions select * from payments.decisions where user_id = 'simple'
          returning order_id`,
    expected: ['one-decision-per-order ORDER'],
  },
  {
    what: 'a payment that was decided and never debited',
    database: 'payments',
    sql: `delete from payments.entries where user_id = 'simple' and seq = 2;
          update payments.accounts set balance = 10000, entry_count = 1 where user_id = 'simple';
          select ${simpleOrder} as order_id`,
    expected: ['paid-has-debit ORDER'],
  },
  {
    what: 'a debit for a payment that failed',
    database: 'payments',
    sql: `insert into payments.entries (user_id, seq, amount, balance, order_id)
          values ('poor', 2, -1000, 0, ${poorOrder});
          update payments.accounts set balance = 0, entry_count = 2 where user_id = 'poor';
          select ${poorOrder} as order_id`,
    expected: ['failed-has-no-debit ORDER'],
  },
  {
    what: 'a debit that nobody decided',
    database: 'payments',
    sql: `insert into payments.entries (user_id, seq, amount, balance, order_id)
          values ('poor', 2, -1000, 0, ${anyUuid});
          update payments.accounts set balance = 0, entry_count = 2 where user_id = 'poor';
          select ${anyUuid} as order_id`,
    expected: ['debit-has-decision ORDER'],
  },
  {
    what: 'a top-up that is in no balance',
    database: 'payments',
    sql: `insert into payments.topups (id, user_id, amount, balance)
          values (gen_random_uuid(), 'simple', 100, 6100)`,
    expected: ['money-conserved simple', 'money-conserved all'],
  },
  {
    what: 'a top-up credited with another amount',
    database: 'payments',
    sql: `update payments.topups set amount = amount - 1 where user_id = 'simple'`,
    expected: ['money-conserved simple', 'money-conserved all'],
  },
  {
    what: 'a credit without a top-up',
    database: 'payments',
    sql: `delete from payments.topups where user_id = 'simple'`,
    expected: ['money-conserved simple', 'money-conserved all'],
  },
  {
    what: 'a top-up credited to somebody else',
    database: 'payments',
    sql: `update payments.topups set user_id = 'empty' where user_id = 'simple'`,
    expected: ['money-conserved empty'],
  },
  {
    what: 'a final order set back to NEW',
    database: 'orders',
    sql: `alter table orders.orders drop constraint orders_settled;
          update orders.orders set status = 'NEW' where user_id = 'simple' returning id as order_id`,
    expected: ['final-status-never-changes ORDER', 'new-orders-wait ORDER'],
  },
  {
    what: 'a final order among those that wait',
    database: 'orders',
    sql: `insert into orders.waiting (order_id) select id from orders.orders where user_id = 'simple'
          returning order_id`,
    expected: ['new-orders-wait ORDER'],
  },
  {
    what: 'an order among those that wait that does not exist',
    database: 'orders',
    sql: `insert into orders.waiting (order_id) values (${anyUuid}) returning order_id`,
    expected: ['new-orders-wait ORDER'],
  },
  {
    what: 'a canceled order made FINISHED',
    database: 'orders',
    sql: `alter table orders.orders drop constraint orders_reason;
          update orders.orders set status = 'FINISHED' where user_id = 'poor' returning id as order_id`,
    expected: ['final-status-never-changes ORDER', 'status-equals-decision ORDER'],
  },
  {
    what: 'two orders under one idempotency key',
    database: 'orders',
    sql: `drop index orders.orders_idempotency_key;
          update orders.orders set idempotency_key = 'the-same' where user_id = 'empty'`,
    expected: ['one-order-per-key empty'],
  },
  {
    what: 'two top-ups under one idempotency key',
    database: 'payments',
    sql: `alter table payments.topups drop constraint topups_idempotency_key;
          update payments.topups set idempotency_key = 'the-same' where user_id = 'customer-3'`,
    expected: ['one-topup-per-key customer-3'],
  },
  {
    what: 'FINISHED although the payment failed',
    database: 'orders',
    sql: `update orders.orders set status = 'FINISHED', reason = null where user_id = 'poor'
          returning id as order_id`,
    expected: ['status-equals-decision ORDER'],
  },
  {
    what: 'CANCELED although it was paid',
    database: 'orders',
    sql: `update orders.orders set status = 'CANCELED', reason = 'INSUFFICIENT_FUNDS' where user_id = 'simple'
          returning id as order_id`,
    expected: ['status-equals-decision ORDER'],
  },
  {
    what: 'CANCELED for another reason than was decided',
    database: 'orders',
    sql: `update orders.orders set reason = 'ACCOUNT_NOT_FOUND' where user_id = 'poor' returning id as order_id`,
    expected: ['status-equals-decision ORDER'],
  },
  {
    what: 'a final order that was never decided',
    database: 'payments',
    sql: `delete from payments.decisions where user_id = 'poor' returning order_id`,
    expected: ['status-equals-decision ORDER'],
  },
  {
    what: 'a decision about an order that does not exist',
    database: 'orders',
    sql: `delete from orders.orders where user_id = 'simple' returning id as order_id`,
    expected: ['decision-has-order ORDER'],
  },
  {
    what: 'an order of another amount than was decided',
    database: 'orders',
    sql: `update orders.orders set amount = amount - 1 where user_id = 'simple' returning id as order_id`,
    expected: ['decision-equals-order ORDER'],
  },
  {
    what: 'an order of another user than was decided',
    database: 'orders',
    sql: `update orders.orders set user_id = 'poor' where user_id = 'simple' returning id as order_id`,
    expected: ['decision-equals-order ORDER'],
  },
  ...['contradicts-decision', 'contradicts-order', 'unknown-order'].map(
    (reason): Break => ({
      what: `a contradiction that waits for an operator: ${reason}`,
      database: 'broker',
      sql: `insert into broker.job (name, data)
            values ('payment-results-dead-letters', jsonb_build_object('messages', jsonb_build_array(jsonb_build_object(
              'subject', ${anyUuid})), 'dead_letter', '{"reason":"${reason}"}'::jsonb))
            returning ${anyUuid} as order_id`,
      expected: ['no-contradiction ORDER'],
    }),
  ),
];

describe('tillbox audit, of databases broken on purpose while orders are on their way', () => {
  const databases = useAuditedDatabases();

  for (const { what, database, sql, expected } of breaks) {
    it(`finds ${what}`, async () => {
      const urls = await databases.copyOf('busy');
      const [row] = await databases.tamper(urls[database], sql);
      const report = await audit(urls);
      const orderId = row?.['order_id'] ?? 'no order';
      expect(found(report)).to.have.members(expected.map((line) => line.replace('ORDER', orderId)));
      expect(report.ok).to.equal(false);
      // What was set back to NEW counts as on its way again.
      const new_orders = report.in_flight.new_orders;
      expect(report.in_flight).to.deep.equal({ ...busyInFlight, new_orders });
    });
  }

  it('breaks every invariant that holds at every instant', () => {
    const broken = new Set(breaks.flatMap(({ expected }) => expected.map((line) => line.split(' ')[0])));
    const instant = Object.entries(invariants).filter(([, sentence]) => !sentence.startsWith('When quiet'));
    expect([...broken].sort()).to.deep.equal(instant.map(([invariant]) => invariant).sort());
  });

  it('says the figures, as decimal amounts', async () => {
    const urls = await databases.copyOf('busy');
    await databases.tamper(
      urls.payments,
      `update payments.accounts set balance = 6001 where user_id = 'simple'`,
    );
    const { violations } = await audit(urls);
    expect(violations[0]).to.deep.equal({
      invariant: 'balance-equals-entries',
      id: 'simple',
      detail: 'balance 60.01, entries sum to 60.00',
    });
  });

  it('counts every wrong order of thousands, each once', async () => {
    const urls = await databases.copyOf('quiet');
    const rows = `select ('0199f0a4-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'nobody'`;
    const series = 'from generate_series(1, 12000) as n';
    await databases.tamper(
      urls.orders,
      `insert into orders.orders (id, user_id, amount, status, reason, settled_at)
       ${rows}, 1, 'CANCELED', 'ACCOUNT_NOT_FOUND', now() ${series}`,
    );
    await databases.tamper(
      urls.payments,
      `insert into payments.decisions (order_id, user_id, amount, outcome, reason)
       ${rows}, 2, 'failed', 'ACCOUNT_NOT_FOUND' ${series}`,
    );
    const { violations } = await audit(urls);
    expect(violations).to.have.length(101);
    expect(violations.at(-1)).to.deep.equal({
      invariant: 'decision-equals-order',
      id: 'more',
      detail: 'and 11900 more like these',
    });
  });

  it('lists a hundred violations of one invariant and counts the rest', async () => {
    const urls = await databases.copyOf('quiet');
    await databases.tamper(urls.orders, 'delete from orders.orders');
    const { violations } = await audit(urls);
    const missing = violations.filter(({ invariant }) => invariant === 'decision-has-order');
    expect(missing).to.have.length(101);
    expect(missing.at(-1)).to.include({ id: 'more', detail: 'and 206 more like these' });
  });
});
