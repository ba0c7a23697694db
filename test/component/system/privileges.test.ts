import { expect } from 'chai';
import pg from 'pg';
import type { Duty } from '../../../src/system/roles.ts';
import { useDatabases } from '../../support/databases.ts';
import { createSharedTestDatabase } from '../../support/test-server.ts';

const insufficientPrivilege = '42501';

/** Who may do what, as Postgres itself keeps it. All three share one database here: the hardest case. */
describe('system: privileges', () => {
  const databases = useDatabases(createSharedTestDatabase);
  const as: typeof databases.as = (duty, text) => databases.as(duty, text);

  /** Fails unless Postgres refuses all of these for want of privilege. */
  async function refused(duty: Duty, ...statements: string[]): Promise<void> {
    for (const text of statements) {
      const error = await as(duty, text).catch((reason) => reason);
      expect(error, `${duty}: ${text}`).to.have.property('code', insufficientPrivilege);
    }
  }

  async function tablesIn(schema: string): Promise<string[]> {
    const rows = await databases.sql<{ name: string }>(
      'orders',
      `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname = $1`,
      [schema],
    );
    expect(rows.length).to.be.at.least(1);
    return rows.map(({ name }) => name);
  }

  for (const duty of ['orders', 'payments'] as const) {
    it(`ends a transaction of ${duty} that takes for ever`, async () => {
      const [{ version = 0, limit } = {}] = await databases.sql<{ version: number; limit: string[] }>(
        'orders',
        `select current_setting('server_version_num')::int as version, rolconfig as limit
           from pg_roles where rolname = (select name from tillbox.roles where duty = $1)`,
        [duty],
      );
      expect(limit).to.deep.equal(version < 170_000 ? null : ['transaction_timeout=30000']);
    });
  }

  for (const [duty, others] of [
    ['orders', ['payments', 'broker', 'tillbox']],
    ['payments', ['orders', 'broker', 'tillbox']],
    ['broker', ['orders', 'payments', 'tillbox']],
    ['auditor', ['tillbox']],
  ] as const) {
    it(`${duty} cannot look at ${others.join(', ')}`, async () => {
      for (const schema of others) {
        for (const table of await tablesIn(schema)) {
          await refused(duty, `select from ${table} limit 1`, `select count(*) from ${table}`);
        }
      }
    });
  }

  for (const duty of ['orders', 'payments', 'auditor'] as const) {
    it(`${duty} cannot create, change or drop a table, a schema, a role or a database`, async () => {
      await refused(
        duty,
        'create table orders.mine (id int)',
        'create table payments.mine (id int)',
        'create table broker.mine (id int)',
        'create table public.mine (id int)',
        'create schema mine',
        'create role mine',
        'create database mine',
        'truncate orders.orders',
        'drop table orders.outbox',
        'drop table payments.outbox',
        'alter table payments.entries disable trigger all',
        'alter table orders.orders disable trigger all',
      );
    });
  }

  it('payments cannot change or remove what was decided or moved', async () => {
    await refused(
      'payments',
      `update payments.entries set amount = 1`,
      `update payments.decisions set outcome = 'paid'`,
      'update payments.topups set amount = 1',
      'delete from payments.entries',
      'delete from payments.decisions',
      'delete from payments.topups',
      'delete from payments.accounts',
      `update payments.accounts set user_id = 'mallory'`,
      'truncate payments.entries',
    );
  });

  it('orders cannot change what an order is about, nor remove it', async () => {
    await refused(
      'orders',
      'update orders.orders set amount = 1',
      `update orders.orders set user_id = 'mallory'`,
      `update orders.orders set description = ''`,
      'delete from orders.orders',
    );
  });

  it('no service can touch the record of migrations', async () => {
    await refused('orders', 'select from orders.migrations', 'delete from orders.migrations');
    await refused('payments', 'select from payments.migrations', 'delete from payments.migrations');
  });

  it('no service can take the role of another', async () => {
    const rows = await databases.sql<{ duty: Duty; name: string }>(
      'orders',
      'select duty, name from tillbox.roles',
    );
    for (const { name } of rows) {
      for (const { duty, name: own } of rows) {
        if (own !== name) await refused(duty, `set role ${pg.escapeIdentifier(name)}`);
      }
    }
  });

  it('the auditor can read everything', async () => {
    for (const schema of ['orders', 'payments', 'broker']) {
      for (const table of await tablesIn(schema)) await as('auditor', `select * from ${table} limit 1`);
    }
  });

  it('the auditor can read a table that comes later', async () => {
    await databases.sql('orders', 'create table orders.later (id int)');
    await as('auditor', 'select from orders.later');
    await as('broker', 'create table broker.later (id int)');
    await as('auditor', 'select from broker.later');
  });

  it('the auditor can write nothing', async () => {
    for (const schema of ['orders', 'payments', 'broker']) {
      for (const table of await tablesIn(schema)) {
        await refused('auditor', `delete from ${table}`, `truncate ${table}`);
      }
    }
    await refused(
      'auditor',
      `insert into orders.outbox (queue, messages, message_count) values ('payment-requests', '[{}]', 1)`,
      `insert into payments.accounts (user_id) values ('mallory')`,
      `update payments.accounts set balance = 1`,
      `update orders.orders set status = 'FINISHED'`,
    );
  });
});
