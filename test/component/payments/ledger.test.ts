import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { createAccount } from '../../../src/payments/accounts.ts';
import { TopUps } from '../../../src/payments/top-up.ts';
import { useDatabases } from '../../support/databases.ts';

const checkViolation = '23514';
const uniqueViolation = '23505';
const foreignKeyViolation = '23503';
const notNullViolation = '23502';
const outOfRange = '22003';

/** What Postgres itself refuses, even to an administrator, whatever the code above it does. */
describe('payments: what the ledger cannot hold', () => {
  const databases = useDatabases();
  const userId = 'alice';
  const orderId = randomUUID();
  let topupId: string;

  before(async () => {
    await createAccount(databases.payments, userId, undefined);
    const topUps = new TopUps(databases.payments);
    ({ id: topupId } = (await topUps.topUp({ userId, amount: 100n, idempotencyKey: 'key' })).topup);
    await insert('entries', { user_id: userId, seq: 2, amount: -30, balance: 70, order_id: orderId });
    await insert('decisions', { order_id: orderId, user_id: userId, amount: 30, outcome: 'paid' });
  });

  function insert(table: string, row: Record<string, unknown>): Promise<unknown> {
    const names = Object.keys(row);
    const places = names.map((_, index) => `$${index + 1}`);
    return databases.sql(
      'payments',
      `insert into payments.${table} (${names.join()}) values (${places.join()})`,
      Object.values(row),
    );
  }

  /** Fails unless Postgres refuses to insert that row, for that reason. */
  async function refuses(code: string, table: string, row: Record<string, unknown>): Promise<void> {
    const error = await insert(table, row).catch((reason) => reason);
    expect(error, JSON.stringify(row)).to.have.property('code', code);
  }

  const debit = { user_id: userId, seq: 3, amount: -10, balance: 60 };

  it('a negative balance', async () => {
    const error = await databases
      .sql('payments', 'update payments.accounts set balance = -1 where user_id = $1', [userId])
      .catch((reason) => reason);
    expect(error).to.have.property('code', checkViolation);
    await refuses(checkViolation, 'entries', { ...debit, balance: -1, order_id: randomUUID() });
  });

  it('a second debit for an order', async () => {
    await refuses(uniqueViolation, 'entries', { ...debit, order_id: orderId });
  });

  it('a second entry for a top-up', async () => {
    await refuses(uniqueViolation, 'entries', { ...debit, amount: 10, balance: 80, topup_id: topupId });
  });

  it('two entries with one number', async () => {
    await refuses(uniqueViolation, 'entries', { ...debit, seq: 2, order_id: randomUUID() });
    await refuses(checkViolation, 'entries', { ...debit, seq: 0, order_id: randomUUID() });
  });

  it('an entry from nowhere, or from two places', async () => {
    await refuses(checkViolation, 'entries', debit);
    await refuses(checkViolation, 'entries', { ...debit, order_id: randomUUID(), topup_id: topupId });
  });

  it('an order that gives money, a top-up that takes some, or an entry that moves nothing', async () => {
    await refuses(checkViolation, 'entries', { ...debit, amount: 10, order_id: randomUUID() });
    await refuses(checkViolation, 'entries', { ...debit, amount: -10, topup_id: topupId });
    await refuses(checkViolation, 'entries', { ...debit, amount: 0, order_id: randomUUID() });
  });

  it('an entry without an account, or of a top-up that is not there', async () => {
    await refuses(foreignKeyViolation, 'entries', { ...debit, user_id: 'nobody', order_id: randomUUID() });
    await refuses(foreignKeyViolation, 'entries', {
      ...debit,
      amount: 10,
      balance: 80,
      topup_id: randomUUID(),
    });
  });

  it('an account or a top-up taken from under its entries, or an entry moved away from them', async () => {
    const changes: [string, unknown[]][] = [
      // The account of a top-up keeps it by a foreign key of its own.
      [`delete from payments.accounts where user_id = $1`, ['unfunded']],
      [`update payments.accounts set user_id = 'other' where user_id = $1`, ['unfunded']],
      ['delete from payments.topups where id = $1', [topupId]],
      ['update payments.topups set id = gen_random_uuid() where id = $1', [topupId]],
      [`update payments.topups set user_id = 'unfunded' where id = $1`, [topupId]],
      [`update payments.entries set user_id = 'nobody' where user_id = $1 and seq = 2`, [userId]],
      ['update payments.entries set topup_id = gen_random_uuid() where topup_id = $1', [topupId]],
    ];
    await insert('accounts', { user_id: 'unfunded' });
    await insert('entries', { ...debit, user_id: 'unfunded', order_id: randomUUID() });
    for (const [change, values] of changes) {
      const error = await databases.sql('payments', change, values).catch((reason) => reason);
      expect(error, change).to.have.property('code', foreignKeyViolation);
    }
    await databases.sql('payments', 'update payments.accounts set user_id = user_id, balance = balance');
    await insert('accounts', { user_id: 'unused' });
    await databases.sql('payments', `delete from payments.accounts where user_id = 'unused'`);
  });

  it('a second decision about an order', async () => {
    const second = { order_id: orderId, user_id: userId, amount: 30, outcome: 'paid' };
    await refuses(uniqueViolation, 'decisions', second);
  });

  it('a failure without a reason, a payment with one, or a reason nobody knows', async () => {
    const decision = { order_id: randomUUID(), user_id: userId, amount: 1 };
    await refuses(checkViolation, 'decisions', { ...decision, outcome: 'failed' });
    await refuses(checkViolation, 'decisions', {
      ...decision,
      outcome: 'paid',
      reason: 'INSUFFICIENT_FUNDS',
    });
    await refuses(checkViolation, 'decisions', { ...decision, outcome: 'failed', reason: 'MOOD' });
    await refuses(checkViolation, 'decisions', { ...decision, outcome: 'maybe' });
    await refuses(notNullViolation, 'decisions', { ...decision, outcome: null });
  });

  it('a second top-up under one key of a user', async () => {
    const second = { id: randomUUID(), user_id: userId, amount: 1, balance: 1, idempotency_key: 'key' };
    await refuses(uniqueViolation, 'topups', second);
  });

  it('a second account of a user, or one under a made-up id', async () => {
    await refuses(uniqueViolation, 'accounts', { user_id: userId });
    for (const user_id of ['', 'a b', 'a'.repeat(65), 'a\n', 'ä']) {
      await refuses(checkViolation, 'accounts', { user_id });
    }
  });

  it('more money than it can count', async () => {
    await refuses(outOfRange, 'accounts', { user_id: 'rich', balance: '9223372036854775808' });
  });
});
