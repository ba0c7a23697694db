import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import knex from 'knex';
import pg from 'pg';
import * as ordersBatches from '../../../migrations/orders/20261125000001_batches.ts';
import * as ordersKeys from '../../../migrations/orders/20261125000003_keys.ts';
import * as paymentsBatches from '../../../migrations/payments/20261125000001_batches.ts';
import * as paymentsReferences from '../../../migrations/payments/20261125000002_references.ts';
import { CodedError } from '../../../src/platform/errors.ts';
import type { EphemeralDatabases } from '../../../src/system/ephemeral-databases.ts';
import { type DatabaseUrls, migrate } from '../../../src/system/migrate.ts';
import { TcpLink } from '../../../src/tools/chaos/tcp-link.ts';
import { createEmptyDatabases, silentLog } from '../../support/test-server.ts';

describe('system: migrate', () => {
  const made: EphemeralDatabases[] = [];

  async function emptyDatabases(): Promise<EphemeralDatabases> {
    const databases = await createEmptyDatabases();
    made.push(databases);
    return databases;
  }

  afterEach(async () => {
    await Promise.all(made.splice(0).map((databases) => databases.drop()));
  });

  async function sql<Row>(url: string, text: string): Promise<Row[]> {
    const client = new pg.Client(url);
    await client.connect();
    try {
      return (await client.query(text)).rows as Row[];
    } finally {
      await client.end();
    }
  }

  /** Schemas and the number of their tables; Postgres's own left out. */
  async function tables(url: string): Promise<string[]> {
    const rows = await sql<{ name: string }>(
      url,
      `select table_schema || '.' || table_name as name from information_schema.tables
        where table_schema in ('orders', 'payments', 'tillbox') order by 1`,
    );
    return rows.map(({ name }) => name);
  }

  async function queues(url: string): Promise<string[]> {
    return (await sql<{ name: string }>(url, 'select name from broker.queue order by name')).map(
      ({ name }) => name,
    );
  }

  async function expectComplete(urls: DatabaseUrls): Promise<void> {
    const all = [...new Set(Object.values(urls))];
    const there = (await Promise.all(all.map(tables))).flat();
    expect(there).to.include.members(['orders.orders', 'orders.outbox', 'payments.entries', 'tillbox.roles']);
    expect(await queues(urls.broker)).to.include.members([
      'payment-requests',
      'payment-requests-dead-letters',
      'payment-results',
      'payment-results-dead-letters',
    ]);
  }

  it('makes everything on empty databases, and nothing more the second time', async () => {
    const { urls } = await emptyDatabases();
    const first = await migrate(urls, silentLog);
    expect(first.map(({ database, migrations }) => [database, migrations.length])).to.deep.equal([
      ['orders', 3],
      ['payments', 3],
      ['broker', 0],
    ]);
    await expectComplete(urls);
    const second = await migrate(urls, silentLog);
    expect(second.flatMap(({ migrations }) => migrations)).to.deep.equal([]);
    await expectComplete(urls);
  });

  it('leaves the passwords as they are the second time: daemons that run stay in', async () => {
    const { urls } = await emptyDatabases();
    await migrate(urls, silentLog);
    const before = await sql(urls.orders, 'select * from tillbox.roles order by duty');
    await migrate(urls, silentLog);
    expect(await sql(urls.orders, 'select * from tillbox.roles order by duty')).to.deep.equal(before);
  });

  it('does everything once when eight start at the same time on empty databases', async () => {
    const { urls } = await emptyDatabases();
    const all = await Promise.all(Array.from({ length: 8 }, () => migrate(urls, silentLog)));
    expect(all.flat().flatMap(({ migrations }) => migrations)).to.have.length(6);
    await expectComplete(urls);
  });

  it('keeps the three apart when each has a database of its own', async () => {
    const [one, two, three] = [await emptyDatabases(), await emptyDatabases(), await emptyDatabases()];
    const urls = { orders: one.urls.orders, payments: two.urls.payments, broker: three.urls.broker };
    await Promise.all([migrate(urls, silentLog), migrate(urls, silentLog)]);
    await expectComplete(urls);
    expect(await tables(urls.orders)).to.satisfy((names: string[]) =>
      names.every((name) => !name.startsWith('payments.')),
    );
    expect(await tables(urls.broker)).to.deep.equal(['tillbox.roles']);
  });

  it("goes on after a migration that was killed and left Knex's lock behind", async () => {
    const { urls } = await emptyDatabases();
    await migrate(urls, silentLog);
    await sql(
      urls.payments,
      `update payments.migrations_lock set is_locked = 1;
       delete from payments.migrations;
       drop table payments.outbox, payments.inbox, payments.entries, payments.decisions, payments.topups,
         payments.accounts;
       drop function payments.refuse_entries_from_nowhere, payments.refuse_orphaned_entries`,
    );
    const done = await migrate(urls, silentLog);
    expect(done.find(({ database }) => database === 'payments')?.migrations).to.have.length(3);
    await expectComplete(urls);
  });

  it('knows a migration by its name without an ending, so that knex agrees', async () => {
    const { urls } = await emptyDatabases();
    const migrated = await migrate(urls, silentLog);
    const recorded = await sql<{ name: string }>(urls.orders, 'select name from orders.migrations');
    const names = recorded.map(({ name }) => name);
    expect(migrated[0]?.migrations).to.deep.equal(names);
    for (const name of names) expect(name).to.match(/^\d{14}_[a-z_]+$/);
  });

  it('agrees with the knex command line about what is done', async function () {
    this.timeout(90_000);
    const { urls } = await emptyDatabases();
    await migrate(urls, silentLog);
    const root = fileURLToPath(new URL('../../..', import.meta.url));
    const knex = fileURLToPath(new URL('../../../node_modules/knex/bin/cli.js', import.meta.url));
    const args = ['--import', 'tsx', knex, '--env', 'payments', 'migrate:status'];
    const env = { ...process.env, PAYMENTS_DATABASE_URL: urls.payments, NO_COLOR: '1' };
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root, env });
    expect(stdout)
      .to.match(/Found 3 Completed Migration/)
      .and.match(/No Pending/);
  });

  it('loses nothing that waits, on the way back to the first schema and forth again', async () => {
    const { urls } = await emptyDatabases();
    await migrate(urls, silentLog);
    const database = knex({ client: 'pg', connection: urls.orders });
    const messages = (schema: string) =>
      sql<{ message: unknown; dead_letter: unknown }>(
        urls.orders,
        `select element.content as message, dead_letter
           from ${schema}.outbox, json_array_elements(messages) as element (content) order by seq`,
      );
    const waiting = () => sql(urls.orders, 'select * from orders.waiting');
    try {
      await sql(
        urls.orders,
        `insert into orders.orders (id, user_id, amount) values (gen_random_uuid(), 'alice', 1);
         insert into orders.waiting select id, now() - interval '1 hour', 3 from orders.orders;
         insert into orders.outbox (queue, messages, message_count, dead_letter) values
           ('payment-requests', '[{"n": 1}, {"n": 2}]', 2, null),
           ('payment-results-dead-letters', '["text"]', 1, '{"reason": "unknown-type"}'),
           ('payment-results-dead-letters', '[null]', 1, '{"reason": "unknown-type"}');
         insert into payments.outbox (queue, messages, message_count) values ('payment-results', '[{"n": 3}]', 1)`,
      );
      const before = [await messages('orders'), await messages('payments'), await waiting()];
      const later = [ordersBatches, ordersKeys, paymentsBatches, paymentsReferences];
      for (const { down } of later.toReversed()) await database.transaction((tx) => down(tx));
      for (const { up } of later) await database.transaction((tx) => up(tx));
      expect([await messages('orders'), await messages('payments'), await waiting()]).to.deep.equal(before);
    } finally {
      await database.destroy();
    }
  });

  it('has patience with a server that is too busy to let anybody in at first', async function () {
    this.timeout(90_000);
    const { urls } = await emptyDatabases();
    const { hostname, port } = new URL(urls.orders);
    const link = new TcpLink({ host: hostname, port: Number(port) });
    const slow = new URL(urls.orders);
    slow.host = `127.0.0.1:${await link.start()}`;
    // A connection, of several exchanges, takes longer than a request would wait for one.
    link.set({ delayMs: 700 });
    try {
      const migrated = migrate({ ...urls, orders: slow.href }, silentLog);
      await sleep(5_000);
      link.heal();
      await migrated;
    } finally {
      await link.stop();
    }
    await expectComplete(urls);
  });

  it('says what to do when a database is missing, refuses the login, or is away', async () => {
    const { urls } = await emptyDatabases();
    const changed = (change: (url: URL) => void): DatabaseUrls => {
      const url = new URL(urls.orders);
      change(url);
      return { ...urls, orders: url.href };
    };
    const refused = async (wrong: DatabaseUrls): Promise<CodedError> => {
      const error = await migrate(wrong, silentLog).catch((reason) => reason);
      expect(error).to.be.instanceOf(CodedError);
      return error;
    };
    const missing = await refused(
      changed((url) => {
        url.pathname = '/nowhere';
      }),
    );
    expect(missing).to.include({ code: 'unavailable' }).and.property('message').contains('createdb');
    const away = await refused(
      changed((url) => {
        url.port = '1';
      }),
    );
    expect(away).to.include({ code: 'unavailable' });
    await migrate(urls, silentLog);
    const [role] = await sql<{ name: string; password: string }>(
      urls.orders,
      `select name, password from tillbox.roles where duty = 'orders'`,
    );
    const service = await refused(
      changed((url) => {
        url.username = role?.name ?? '';
        url.password = role?.password ?? '';
      }),
    );
    expect(service).to.include({ code: 'unauthorized' }).and.property('message').contains('administrator');
  });
});
