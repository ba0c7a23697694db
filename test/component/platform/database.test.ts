import { expect } from 'chai';
import { Database, repeatSafely, type Statement, type Transaction } from '../../../src/platform/database.ts';
import {
  isConnectionFailure,
  isOutcomeUnknown,
  isUnavailable,
} from '../../../src/platform/postgres-errors.ts';
import { explainDatabaseError } from '../../../src/system/database-errors.ts';
import { TcpLink } from '../../../src/tools/chaos/tcp-link.ts';
import { useDatabases } from '../../support/databases.ts';
import { deferred } from '../../support/deferred.ts';
import { silentLog } from '../../support/test-server.ts';

describe('platform: database', () => {
  const databases = useDatabases();
  const open: { close(): Promise<void> }[] = [];

  before(() => databases.sql('orders', 'create table notes (id int primary key, text text)'));
  beforeEach(() =>
    databases.sql('orders', `truncate notes; insert into notes values (1, 'one'), (2, 'two')`),
  );
  afterEach(() => Promise.all(open.splice(0).map((one) => one.close())));

  /** As administrator: these tests are about connections, not about privileges. */
  function database(url = databases.adminUrls.orders): Database {
    const one = new Database({ url, name: 'test', connectionsMax: 2, log: silentLog });
    open.push(one);
    return one;
  }

  const statement = (name: string, text: string): Statement => ({ name, text });
  const insert = statement('note_insert', 'insert into notes values ($1, $2)');
  const lock = statement('note_lock', 'select from notes where id = $1 for update');
  const change = statement('note_change', 'update notes set text = text || $2 where id = $1');

  async function notes(): Promise<string[]> {
    const rows = await databases.sql<{ text: string }>('orders', 'select text from notes order by id');
    return rows.map(({ text }) => text);
  }

  it('reads whole numbers beyond 2^53 exactly, and times as dates', async () => {
    const types = statement(
      'types',
      'select 9223372036854775807::bigint as big, now() as time, 5::int as small',
    );
    const [row] = await database().query<{ big: bigint; time: Date; small: number }>(types);
    expect(row?.big).to.equal(9_223_372_036_854_775_807n);
    expect(row?.time).to.be.instanceOf(Date);
    expect(row?.small).to.equal(5);
  });

  it('takes a database that lets nobody in, as during a restore, for one that is away: no bug', async () => {
    const name = `closed_${new URL(databases.adminUrls.orders).pathname.slice(1)}`;
    const closed = new URL(databases.adminUrls.orders);
    closed.pathname = `/${name}`;
    await databases.sql('orders', `create database "${name}" template template0 allow_connections false`);
    try {
      const refused = await database(closed.href)
        .ping()
        .catch((error: Error) => error);
      expect(refused).to.include({ code: '55000' });
      expect(isUnavailable(refused)).to.equal(true);
      expect(explainDatabaseError(refused))
        .to.include({ code: 'unavailable', exitCode: 7 })
        .and.have.property('message')
        .that.contains('not currently accepting connections');
    } finally {
      await databases.sql('orders', `drop database "${name}"`);
    }
    // The same code of a statement that comes too early is another matter.
    await databases.sql('orders', 'create sequence if not exists numbers');
    const early = await database()
      .query(statement('early', `select currval('numbers')`))
      .catch((error: Error) => error);
    expect(early).to.include({ code: '55000' });
    expect(isUnavailable(early)).to.equal(false);
    expect(explainDatabaseError(early)).to.equal(early);
  });

  it('keeps all of a transaction or nothing', async () => {
    const work = database().transaction(async (tx) => {
      await tx.query(insert, [3, 'three']);
      throw new Error('no');
    });
    expect(await work.catch((error: Error) => error.message)).to.equal('no');
    expect(await notes()).to.deep.equal(['one', 'two']);
  });

  it('never takes a transaction for committed in which a statement failed', async () => {
    const work = database().transaction(async (tx) => {
      await tx.query(insert, [3, 'three']);
      await tx.query(insert, [1, 'again']).catch(() => {});
    });
    expect(await work.catch((error: Error) => error.message)).to.match(/failed in the transaction/);
    expect(await notes()).to.deep.equal(['one', 'two']);
  });

  it('commits nothing when a statement sent without waiting fails, on the server or before it gets there', async () => {
    const unsendable = {
      toPostgres: () => {
        throw new Error('cannot be sent');
      },
    };
    const failing = [
      { values: [1, 'again'], message: /duplicate key/ },
      { values: [4, unsendable], message: /cannot be sent/ },
    ];
    for (const { values, message } of failing) {
      const work = database().transaction(async (tx) => {
        tx.send(insert, [3, 'three']);
        tx.send(insert, values);
        tx.send(change, [1, '!']);
      });
      expect(await work.catch((error: Error) => error.message)).to.match(message);
      expect(await notes()).to.deep.equal(['one', 'two']);
    }
  });

  it('can be used again after a transaction failed', async () => {
    const one = new Database({
      url: databases.adminUrls.orders,
      name: 'test',
      connectionsMax: 1,
      log: silentLog,
    });
    open.push(one);
    for (let count = 0; count < 3; count += 1) {
      const error = await one.transaction((tx) => tx.query(insert, [1, 'again'])).catch((reason) => reason);
      expect(error).to.have.property('code', '23505'); // unique_violation
    }
    await one.transaction((tx) => tx.query(insert, [3, 'three']));
    expect(await notes()).to.have.length(3);
  });

  it('runs a transaction again that lost in a deadlock', async () => {
    const one = database();
    const bothHold = deferred();
    let holders = 0;
    let runs = 0;
    const crosswise = (first: number, second: number) => async (tx: Transaction) => {
      runs += 1;
      await tx.query(lock, [first]);
      holders += 1;
      if (holders === 2) bothHold.resolve();
      await bothHold.promise;
      await tx.query(change, [second, '!']);
    };
    await Promise.all([one.transaction(crosswise(1, 2)), one.transaction(crosswise(2, 1))]);
    expect(runs).to.equal(3);
    expect(await notes()).to.deep.equal(['one!', 'two!']);
  });

  it('survives that the server ends its connections, in a transaction and idle', async () => {
    const one = database();
    const end = () =>
      databases.sql(
        'orders',
        `select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and application_name = 'test' and pid <> pg_backend_pid()`,
      );
    const error = await one
      .transaction(async (tx) => {
        await tx.query(lock, [1]);
        await end();
        await tx.query(change, [1, '!']);
      })
      .catch((reason) => reason);
    expect(isConnectionFailure(error), String(error)).to.equal(true);
    await repeatSafely(() => one.ping());
    await end();
    await repeatSafely(() => one.ping());
    expect(await notes()).to.deep.equal(['one', 'two']);
  });

  it('says of a commit whose answer is lost that its outcome is unknown; it had committed', async () => {
    const url = new URL(databases.adminUrls.orders);
    const link = new TcpLink({ host: url.hostname, port: Number(url.port) });
    url.port = String(await link.start());
    try {
      const one = database(url.href);
      const committed = one.transaction(async (tx) => {
        await tx.query(change, [1, '!']);
        link.set({ swallow: ['down'] });
        setTimeout(() => link.reset(), 100);
      });
      const error = await committed.catch((reason) => reason);
      expect(isOutcomeUnknown(error), String(error)).to.equal(true);
      expect(await notes()).to.deep.equal(['one!', 'two']);
      link.heal();
      await repeatSafely(() => one.ping());
    } finally {
      await link.stop();
    }
  });

  it('may be closed twice', async () => {
    const one = database();
    await one.ping();
    await Promise.all([one.close(), one.close()]);
  });
});
