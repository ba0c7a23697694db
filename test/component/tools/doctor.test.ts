import { createServer } from 'node:net';
import { expect } from 'chai';
import pg from 'pg';
import { readConfig } from '../../../src/platform/config.ts';
import { roleUrl } from '../../../src/system/roles.ts';
import { designedSchemas } from '../../../src/tools/doctor/designed-schemas.ts';
import { examine, type GroupedFinding } from '../../../src/tools/doctor/doctor.ts';
import type { Group } from '../../../src/tools/doctor/finding.ts';
import { readStoredSchema } from '../../../src/tools/doctor/stored-schema.ts';
import type { Surroundings } from '../../../src/tools/doctor/surroundings.ts';
import { useDatabases } from '../../support/databases.ts';
import { createSharedTestDatabase, silentLog } from '../../support/test-server.ts';

/** Databases of the user's, and nothing that runs. */
function surroundingsOf(url: string, more: Partial<Surroundings> = {}): Surroundings {
  const environment = { TILLBOX_HOME: '/nonexistent/tillbox', DATABASE_URL: url, ...anyPorts };
  return {
    config: readConfig(environment),
    runtime: undefined,
    supervised: false,
    serving: {
      gateway: { url: 'http://127.0.0.1:1', ready: false },
      orders: { instances: [] },
      payments: { instances: [] },
    },
    embedded: { binaries: { version: '18.4' }, dataFolder: undefined, url: undefined, problem: undefined },
    log: silentLog,
    ...more,
  };
}

const anyPorts = { GATEWAY_PORT: '0', ORDERS_PORT: '0', PAYMENTS_PORT: '0' };

/** One database that is all three, with roles of its own: what is broken here is broken nowhere else. */
describe('tools: doctor on databases', function () {
  this.timeout(60_000);

  const databases = useDatabases(createSharedTestDatabase);
  const sql = (text: string) => databases.sql('orders', text);

  async function find(
    group: Group,
    check: string,
    more: Partial<Surroundings> = {},
  ): Promise<GroupedFinding> {
    const { checks } = await examine(surroundingsOf(databases.adminUrls.orders, more));
    const found = checks.find((finding) => finding.group === group && finding.check === check);
    if (found === undefined) throw new Error(`no finding ${group}/${check} in ${JSON.stringify(checks)}`);
    return found;
  }

  async function roleName(duty: string): Promise<string> {
    const [row] = await databases.sql<{ name: string }>(
      'orders',
      'select name from tillbox.roles where duty = $1',
      [duty],
    );
    return row?.name ?? '';
  }

  /** Breaks something, expects the failure, mends it again and expects all to be well. */
  async function expectFailure(
    group: Group,
    check: string,
    { harm, mend, says }: { harm: string; mend: string | ((remedy: string) => string); says: string },
  ): Promise<void> {
    await sql(harm);
    try {
      const found = await find(group, check);
      expect(found.level, found.detail).to.equal('failure');
      expect(found.detail).to.contain(says);
      expect(found.remedy).to.be.a('string').and.not.equal('');
      await sql(typeof mend === 'string' ? mend : mend(found.remedy ?? ''));
    } catch (error) {
      if (typeof mend === 'string') await sql(mend);
      throw error;
    }
    expect(await find(group, check)).to.include({ level: 'ok', remedy: null });
  }

  it('finds nothing to fail in databases as migrate leaves them', async () => {
    const { checks } = await examine(surroundingsOf(databases.adminUrls.orders));
    const inDatabases = ['databases', 'migrations', 'privileges', 'queues', 'retention'];
    const found = checks.filter(({ group }) => inDatabases.includes(group));
    expect(found.filter(({ level }) => level === 'failure')).to.deep.equal([]);
    expect(new Set(found.map(({ group }) => group))).to.deep.equal(new Set(inDatabases));
  });

  it('finds a service that may change what was decided, with the statement that takes it away', async () => {
    await expectFailure('privileges', 'payments', {
      harm: `grant delete, update (amount) on payments.entries to "${await roleName('payments')}"`,
      mend: (remedy) => remedy,
      says: 'delete on payments.entries, update of amount on payments.entries',
    });
  });

  it('finds a service that can look into the schema of another', async () => {
    const role = `"${await roleName('orders')}"`;
    await expectFailure('privileges', 'orders', {
      harm: `grant usage on schema payments to ${role}; grant select on payments.accounts to ${role}`,
      mend: (remedy) => `${remedy} revoke usage on schema payments from ${role}`,
      says: 'select on payments.accounts',
    });
  });

  it('finds a role whose password the server does not know', async () => {
    await expectFailure('privileges', 'payments', {
      harm: `update tillbox.roles set password = 'x' || password where duty = 'payments'`,
      mend: `update tillbox.roles set password = substr(password, 2) where duty = 'payments'`,
      says: 'refuses the password',
    });
  });

  it('finds what is granted to everybody', async () => {
    await expectFailure('privileges', 'orders', {
      harm: 'grant usage on schema broker to public; grant insert on broker.queue to public',
      mend: 'revoke usage on schema broker from public; revoke insert on broker.queue from public',
      says: 'insert on broker.queue',
    });
  });

  it('finds an auditor that may write', async () => {
    await expectFailure('privileges', 'auditor', {
      harm: `grant insert on orders.outbox to "${await roleName('auditor')}"`,
      mend: (remedy) => remedy,
      says: 'insert on orders.outbox',
    });
  });

  it('finds an auditor that cannot read', async () => {
    const role = `"${await roleName('auditor')}"`;
    await expectFailure('privileges', 'auditor', {
      harm: `revoke select on payments.decisions from ${role}`,
      mend: `grant select on payments.decisions to ${role}`,
      says: 'select on payments.decisions',
    });
  });

  it('finds a service that lacks what it needs', async () => {
    const role = `"${await roleName('orders')}"`;
    await expectFailure('privileges', 'orders', {
      harm: `revoke update (status) on orders.orders from ${role}`,
      mend: `grant update (status) on orders.orders to ${role}`,
      says: 'update on orders.orders',
    });
  });

  it('finds a role that could help itself to more', async () => {
    const role = `"${await roleName('payments')}"`;
    await expectFailure('privileges', 'payments', {
      harm: `alter role ${role} createrole`,
      mend: `alter role ${role} nocreaterole`,
      says: 'may create roles',
    });
    const orders = `"${await roleName('orders')}"`;
    await expectFailure('privileges', 'payments', {
      harm: `grant ${orders} to ${role}`,
      mend: `revoke ${orders} from ${role}`,
      says: 'is a member of',
    });
  });

  it('finds a broker that does not own its schema', async () => {
    await expectFailure('privileges', 'broker', {
      harm: 'alter table broker.queue owner to current_user',
      mend: `alter table broker.queue owner to "${await roleName('broker')}"; grant select on broker.queue to "${await roleName('auditor')}"`,
      says: '',
    });
  });

  it('finds a database that was not migrated, half migrated, or migrated by a later version', async () => {
    await expectFailure('migrations', 'payments', {
      harm: 'alter schema payments rename to put_aside',
      mend: 'alter schema put_aside rename to payments',
      says: 'not been migrated',
    });
    await expectFailure('migrations', 'orders', {
      harm: `insert into orders.migrations (name, batch) values ('99990101000000_tomorrow', 9)`,
      mend: `delete from orders.migrations where name like '9999%'`,
      says: '99990101000000_tomorrow',
    });
    await expectFailure('queues', 'schema', {
      harm: 'alter schema broker rename to put_aside',
      mend: 'alter schema put_aside rename to broker',
      says: 'not installed',
    });
  });

  it('finds a trigger, a constraint and an index that are gone or idle', async () => {
    await expectFailure('migrations', 'orders guards', {
      harm: 'alter table orders.orders disable trigger final_order_never_changes',
      mend: 'alter table orders.orders enable trigger final_order_never_changes',
      says: 'final_order_never_changes on orders.orders is disabled',
    });
    await expectFailure('migrations', 'payments guards', {
      harm: 'alter table payments.entries rename constraint entries_source to gone',
      mend: 'alter table payments.entries rename constraint gone to entries_source',
      says: 'entries_source is missing',
    });
    await expectFailure('migrations', 'payments guards', {
      harm: 'alter index payments.entries_order rename to gone',
      mend: 'alter index payments.gone rename to entries_order',
      says: 'entries_order is missing',
    });
    await expectFailure('migrations', 'payments guards', {
      harm: `update pg_index set indisvalid = false where indexrelid = 'payments.entries_topup'::regclass`,
      mend: `update pg_index set indisvalid = true where indexrelid = 'payments.entries_topup'::regclass`,
      says: 'entries_topup is invalid',
    });
  });

  it('finds columns, indexes and functions that are not as the migrations made them', async () => {
    await expectFailure('migrations', 'orders guards', {
      harm: 'alter table orders.waiting alter column request_count type integer',
      mend: 'alter table orders.waiting alter column request_count type smallint',
      says: 'column waiting.request_count is integer not null, not smallint not null',
    });
    await expectFailure('migrations', 'orders guards', {
      harm: 'alter index orders.orders_by_user rename to gone',
      mend: 'alter index orders.gone rename to orders_by_user',
      says: 'index orders_by_user is missing, index gone was added',
    });
    const [before] = await databases.sql<{ definition: string }>(
      'orders',
      `select pg_get_functiondef('orders.refuse_change_of_final_order'::regproc) as definition`,
    );
    await expectFailure('migrations', 'orders guards', {
      harm: `create or replace function orders.refuse_change_of_final_order() returns trigger
               language plpgsql as 'begin return new; end'`,
      mend: before?.definition ?? '',
      says: 'function refuse_change_of_final_order was changed',
    });
    await sql('alter table orders.outbox add column theirs integer');
    expect(await find('migrations', 'orders guards')).to.include({
      level: 'warning',
      detail: 'Somebody added to the database: column outbox.theirs.',
    });
    await sql('alter table orders.outbox drop column theirs');
  });

  it('knows the schemas as the migrations make them', async () => {
    const client = new pg.Client(databases.adminUrls.orders);
    await client.connect();
    try {
      for (const schema of ['orders', 'payments'] as const) {
        expect(await readStoredSchema(client, schema), schema).to.deep.equal(designedSchemas[schema]);
      }
    } finally {
      await client.end();
    }
  });

  it('finds the drift that pg-boss finds in its own schema', async () => {
    await expectFailure('queues', 'schema', {
      harm: 'alter table broker.queue rename column retry_limit to gone',
      mend: 'alter table broker.queue rename column gone to retry_limit',
      says: 'columns of queue differ',
    });
    await expectFailure('queues', 'schema', {
      harm: 'update broker.version set version = version - 1',
      mend: 'update broker.version set version = version + 1',
      says: 'requires migrations',
    });
  });

  it('finds a queue that would throw messages away', async () => {
    const harm = `update broker.queue set retention_seconds = 60, retry_limit = 2 where name = 'payment-results'`;
    const mend = `update broker.queue set retention_seconds = 315360000, retry_limit = 1000000 where name = 'payment-results'`;
    await expectFailure('queues', 'queues', { harm, mend, says: 'retryLimit 2, not 1000000' });
    await expectFailure('queues', 'kept', { harm, mend, says: 'payment-results for 60 s' });
  });

  it('finds roles that are not there', async () => {
    await expectFailure('privileges', 'auditor', {
      harm: `update tillbox.roles set duty = 'gone' where duty = 'auditor'`,
      mend: `update tillbox.roles set duty = 'auditor' where duty = 'gone'`,
      says: 'no role',
    });
  });

  it('warns of a server that does not commit durably', async () => {
    const name = new URL(databases.adminUrls.orders).pathname.slice(1);
    await sql(`alter database "${name}" set synchronous_commit = off`);
    try {
      const found = await find('databases', 'durability');
      expect(found.level).to.equal('warning');
      expect(found.detail).to.contain('synchronous_commit');
      expect(found.remedy).to.contain('alter system set synchronous_commit = on');
    } finally {
      await sql(`alter database "${name}" reset synchronous_commit`);
    }
  });

  it('fails when the daemons would not all find a connection', async () => {
    const instances = Array.from({ length: 100 }, () => ({ pid: 1, ready: false }));
    const serving = {
      gateway: { url: 'http://127.0.0.1:1', ready: false },
      orders: { instances },
      payments: { instances },
    };
    const found = await find('databases', 'connections', { serving });
    expect(found.level).to.equal('failure');
    expect(found.remedy).to.contain('max_connections');
  });

  it('warns when a service that is ready does not listen for wake-ups', async () => {
    const instances = [{ pid: 1, ready: true }];
    const serving = {
      gateway: { url: 'http://127.0.0.1:1', ready: true },
      orders: { instances },
      payments: { instances: [] },
    };
    const found = await find('queues', 'orders listener', { serving });
    expect(found).to.include({ level: 'warning' });
    expect(found.detail).to.contain('0 of 1');
  });

  it('says that a login is not an administrator, and looks at what it may', async () => {
    const url = await roleUrl(databases.adminUrls.orders, 'orders', silentLog);
    const { checks } = await examine(surroundingsOf(url));
    const [login] = checks.filter(({ group }) => group === 'databases');
    expect(login).to.include({ level: 'warning' });
    expect(login?.detail).to.contain("not an administrator's");
    expect(checks.filter(({ group }) => group === 'privileges')).to.deep.equal([]);
    expect(checks.find(({ check }) => check === 'version')).to.include({ level: 'ok' });
  });

  describe('that are away', () => {
    const failed = async (url: string) => {
      const report = await examine(surroundingsOf(url));
      expect(report.ok).to.equal(false);
      // Everything else is still looked at.
      const groups = new Set(report.checks.map(({ group }) => group));
      expect([...groups]).to.include.members([
        'machine',
        'home',
        'ports',
        'databases',
        'retention',
        'gateway',
      ]);
      return report.checks.find(({ group, level }) => group === 'databases' && level === 'failure');
    };

    it('says so of one that refuses connections, and what to do', async () => {
      const found = await failed('postgres://nobody:secret@127.0.0.1:1/none');
      expect(found?.detail).to.contain('away');
      expect(found?.remedy).to.contain('DATABASE_URL');
      expect(JSON.stringify(found)).not.to.contain('secret');
    });

    it('says so of one that accepts and says nothing', async () => {
      const server = createServer(() => {});
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      try {
        const { port } = server.address() as { port: number };
        expect((await failed(`postgres://a:b@127.0.0.1:${port}/none`))?.detail).to.contain('away');
      } finally {
        server.close();
      }
    });

    it('says so of a password that is refused', async () => {
      const url = new URL(databases.adminUrls.orders);
      url.password = 'wrong';
      const found = await failed(url.href);
      expect(found?.detail).to.contain('refuses the login');
    });

    it('says so of a database that does not exist', async () => {
      const url = new URL(databases.adminUrls.orders);
      url.pathname = '/not_there';
      expect((await failed(url.href))?.detail).to.contain('does not exist');
    });
  });

  it('names the variable that is missing when only some are set', async () => {
    const config = readConfig({
      TILLBOX_HOME: '/nonexistent',
      ...anyPorts,
      ORDERS_DATABASE_URL: databases.adminUrls.orders,
    });
    const { checks } = await examine(surroundingsOf('postgres://x/x', { config }));
    const failures = checks.filter(({ group, level }) => group === 'databases' && level === 'failure');
    expect(failures.map(({ check }) => check)).to.deep.equal(['payments', 'broker']);
    expect(failures[0]?.remedy).to.contain('PAYMENTS_DATABASE_URL');
  });
});
