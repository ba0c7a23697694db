import { connect, createServer, type Server, type Socket } from 'node:net';
import { expect } from 'chai';
import pg from 'pg';
import type { EphemeralDatabases } from '../../../src/system/ephemeral-databases.ts';
import { ensureRole, roleUrl } from '../../../src/system/roles.ts';
import { eventually } from '../../support/eventually.ts';
import { createSharedTestDatabase, silentLog } from '../../support/test-server.ts';

/** Databases with roles of their own: what happens to a password here happens to no other test. */
describe('system: the login of a role', () => {
  let databases: EphemeralDatabases;
  let url: string;
  const clients: pg.Client[] = [];
  const links: Server[] = [];
  before(async () => {
    databases = await createSharedTestDatabase();
    url = databases.urls.orders;
  });
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.end().catch(() => {})));
    for (const link of links.splice(0)) link.close();
  });
  after(() => databases.drop());

  async function open(): Promise<pg.Client> {
    const client = new pg.Client(url);
    client.on('error', () => {});
    clients.push(client);
    await client.connect();
    return client;
  }

  async function known(): Promise<{ name: string; password: string }> {
    const admin = await open();
    const { rows } = await admin.query(`select name, password from tillbox.roles where duty = 'orders'`);
    return rows[0];
  }

  /** Who a connection by this URL logs in as. */
  async function whoLogsIn(own: string): Promise<string> {
    const client = new pg.Client(own);
    await client.connect();
    try {
      return (await client.query('select session_user as name')).rows[0].name;
    } finally {
      await client.end();
    }
  }

  const stateOf = (promise: Promise<unknown>) =>
    promise.then(
      (value) => value,
      (error: { code?: string }) => error.code,
    );

  /** The URL by way of a link that does something first with each connection, and may answer it itself. */
  async function linked(first: (count: number, client: Socket) => Promise<boolean>): Promise<string> {
    const { hostname, port } = new URL(url);
    let count = 0;
    const link = createServer(async (client) => {
      count += 1;
      client.on('error', () => {});
      if (!(await first(count, client))) return;
      const server = connect(Number(port), hostname);
      server.on('error', () => client.destroy());
      client.pipe(server).pipe(client);
    });
    links.push(link);
    await new Promise<void>((resolve) => link.listen(0, '127.0.0.1', resolve));
    const by = new URL(url);
    by.host = `127.0.0.1:${(link.address() as { port: number }).port}`;
    return by.href;
  }

  it("is never the administrator's, while a rotation is held up and after it was killed", async () => {
    const { name, password } = await known();
    const [holder, rotating, watcher] = [await open(), await open(), await open()];
    // Whoever changes a role holds its row, and lets nobody else change it meanwhile.
    await holder.query('begin');
    await holder.query(`alter role ${pg.escapeIdentifier(name)} connection limit -1`);
    const { rows } = await rotating.query('select pg_backend_pid() as pid');
    const rotated = stateOf(ensureRole(rotating, 'orders', { rotate: true }));
    await eventually(async () => {
      const waiting = await watcher.query(
        `select from pg_stat_activity where pid = $1 and wait_event_type = 'Lock'`,
        [rows[0].pid],
      );
      expect(waiting.rowCount).to.equal(1);
    });
    expect(await whoLogsIn(await roleUrl(url, 'orders', silentLog))).to.equal(name);
    await watcher.query('select pg_terminate_backend($1)', [rows[0].pid]);
    expect(await rotated).to.equal('57P01'); // admin_shutdown
    await holder.query('rollback');
    expect(await known()).to.deep.equal({ name, password });
    expect(await whoLogsIn(await roleUrl(url, 'orders', silentLog))).to.equal(name);
  });

  it('is read again when the password changed between reading it and using it', async () => {
    const { name } = await known();
    const admin = await open();
    // The first connection reads the password, the second one uses it.
    const by = await linked(async (count) => {
      if (count === 2) await ensureRole(admin, 'orders', { rotate: true });
      return true;
    });
    const own = await roleUrl(by, 'orders', silentLog);
    expect(await whoLogsIn(own)).to.equal(name);
  });

  it('is not read for ever, and nobody else’s in the end, when it changes each time', async () => {
    const admin = await open();
    let connections = 0;
    const by = await linked(async (count) => {
      connections = count;
      if (count % 2 === 0) await ensureRole(admin, 'orders', { rotate: true });
      return true;
    });
    expect(await stateOf(roleUrl(by, 'orders', silentLog))).to.equal('28P01'); // invalid_password
    expect(connections).to.be.lessThan(10);
  });

  it('is refused while the server knows another password, until the next migration sets it', async () => {
    const { name, password } = await known();
    const admin = await open();
    await admin.query(`update tillbox.roles set password = 'stale' where duty = 'orders'`);
    const error = await roleUrl(url, 'orders', silentLog).catch((reason) => reason);
    expect(error).to.include({ code: '28P01' }).and.property('message').contains('tillbox migrate');
    expect(error.message).not.to.contain('stale').and.not.contain(password);
    await ensureRole(admin, 'orders', { rotate: false });
    expect(await whoLogsIn(await roleUrl(url, 'orders', silentLog))).to.equal(name);
  });

  describe('on a server whose pg_hba.conf has no line for the role', () => {
    /** Says of the second connection, the role's own, what such a server says. */
    const byRefusing = () =>
      linked(async (count, client) => {
        if (count !== 2) return true;
        client.once('data', () => client.end(refusalOf('28000'))); // invalid_authorization_specification
        return false;
      });

    it("is the administrator's, which takes the role", async () => {
      const { name } = await known();
      const assumed = await roleUrl(await byRefusing(), 'orders', silentLog);
      expect(new URL(assumed).searchParams.get('options')).to.equal(`-c role=${name}`);
      const client = new pg.Client(assumed);
      await client.connect();
      clients.push(client);
      expect((await client.query('select current_user as name')).rows).to.deep.equal([{ name }]);
    });

    it('is nobody’s when an administrator has forbidden the role to log in', async () => {
      const { name } = await known();
      const admin = await open();
      await admin.query(`alter role ${pg.escapeIdentifier(name)} nologin`);
      expect(await stateOf(roleUrl(url, 'orders', silentLog))).to.equal('28P01');
      expect(await stateOf(roleUrl(await byRefusing(), 'orders', silentLog))).to.equal('28P01');
      await ensureRole(admin, 'orders', { rotate: false });
    });
  });
});

/** An ErrorResponse of Postgres's protocol, version 3: fields of a letter and a text each. */
function refusalOf(sqlstate: string): Buffer {
  const fields = Buffer.from(`SFATAL\0VFATAL\0C${sqlstate}\0Mno pg_hba.conf entry\0\0`);
  const head = Buffer.alloc(5);
  head.write('E');
  head.writeInt32BE(fields.length + 4, 1);
  return Buffer.concat([head, fields]);
}
