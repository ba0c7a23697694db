import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import pg from 'pg';
import { chooseAccount, runAs } from '../../../src/platform/embedded-postgres/account.ts';
import { findBinaries } from '../../../src/platform/embedded-postgres/binaries.ts';
import {
  type EmbeddedPostgres,
  startEmbeddedPostgres,
  stopEmbeddedPostgres,
  wipeEmbeddedPostgres,
} from '../../../src/platform/embedded-postgres.ts';
import { CodedError } from '../../../src/platform/errors.ts';

const modulePath = join(import.meta.dirname, '../../../src/platform/embedded-postgres.ts');
const packageFolder = dirname(
  dirname(createRequire(import.meta.url).resolve(`@embedded-postgres/${process.platform}-${process.arch}`)),
);

describe('embedded Postgres', function () {
  this.timeout(60_000);
  let scratch: string;
  let folder: string;
  let started: EmbeddedPostgres[];
  /** Holds what a server leaves that has run once. */
  let used: string;

  const newScratch = async () => {
    const made = await mkdtemp(join(tmpdir(), 'tillbox-test-'));
    await chmod(made, 0o755);
    return made;
  };

  before(async () => {
    used = await newScratch();
    const server = await startEmbeddedPostgres({
      folder: join(used, 'postgres'),
      ephemeral: false,
      fsync: false,
    });
    await server.stop();
    await rm(join(used, 'postgres', 'port'));
  });

  after(() => rm(used, { recursive: true, force: true }));

  beforeEach(async () => {
    scratch = await newScratch();
    folder = join(scratch, 'home', 'postgres');
    started = [];
  });

  afterEach(async () => {
    for (const server of started) await server.stop();
    await stopEmbeddedPostgres(folder);
    await wipeEmbeddedPostgres(folder);
    await rm(scratch, { recursive: true, force: true });
  });

  /** Not durable unless asked: these tests are about everything else. */
  async function start(options: Partial<Parameters<typeof startEmbeddedPostgres>[0]> = {}) {
    const server = await startEmbeddedPostgres({ folder, ephemeral: false, fsync: false, ...options });
    started.push(server);
    return server;
  }

  /** Starts on a copy of data that were made before: ten times as cheap as to make them. */
  async function startUsed(options: Parameters<typeof start>[0] = {}) {
    const { folder: place = folder } = options;
    await mkdir(dirname(place), { recursive: true });
    // Owners too.
    execFileSync('cp', ['-a', join(used, 'postgres'), place]);
    return start(options);
  }

  it('answers on 127.0.0.1 in UTF-8 with the builtin locale', async () => {
    const server = await start();
    expect(server.adopted).to.equal(false);
    expect(new URL(server.url)).to.include({ hostname: '127.0.0.1', pathname: '/tillbox' });
    const [row] = await query(
      server.url,
      `SELECT 1 AS one, current_user AS who, pg_encoding_to_char(encoding) AS encoding, datlocprovider AS provider,
              datlocale AS locale FROM pg_database WHERE datname = current_database()`,
    );
    expect(row).to.deep.equal({
      one: 1,
      who: 'tillbox',
      encoding: 'UTF8',
      provider: 'b',
      locale: 'C.UTF-8',
    });
  });

  it('refuses a wrong password', async () => {
    const server = await startUsed();
    const url = new URL(server.url);
    url.password = 'wrong';
    expect(await query(url.href, 'SELECT 1').catch((error) => error.code)).to.equal('28P01');
  });

  it('keeps its password from others', async () => {
    await start();
    expect((await stat(join(folder, 'password'))).mode & 0o777).to.equal(0o600);
    expect((await stat(join(folder, 'data'))).mode & 0o777).to.equal(0o700);
  });

  it('keeps its data, its port and its password over a stop and a start', async () => {
    const before = await startUsed();
    await query(before.url, 'CREATE TABLE kept AS SELECT 42 AS answer');
    await before.stop();
    expect(await answers(before.url)).to.equal(false);
    const after = await start();
    expect(after.url).to.equal(before.url);
    expect(await query(after.url, 'SELECT answer FROM kept')).to.deep.equal([{ answer: 42 }]);
  });

  it('is durable unless told otherwise', async () => {
    const server = await start({ fsync: true });
    const rows = await query(
      server.url,
      `SELECT name, setting FROM pg_settings
        WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit', 'data_checksums')`,
    );
    expect(rows.map((row) => row['setting'])).to.deep.equal(['on', 'on', 'on', 'on']);
  });

  it('takes further settings, and new ones at the next start', async () => {
    const before = await startUsed({ settings: { work_mem: '7MB', application_name: "it's" } });
    expect(await query(before.url, 'SHOW work_mem')).to.deep.equal([{ work_mem: '7MB' }]);
    await before.stop();
    expect(await query((await start()).url, 'SHOW work_mem')).to.deep.equal([{ work_mem: '4MB' }]);
  });

  it('adopts the server that runs already', async () => {
    const first = await startUsed();
    const second = await start();
    expect(second).to.include({ adopted: true, url: first.url, dataFolder: first.dataFolder });
    await second.stop();
    expect(await answers(first.url)).to.equal(false);
    await first.stop();
  });

  it('does not stop the server somebody started after its own was stopped', async () => {
    const first = await startUsed();
    await stopEmbeddedPostgres(folder);
    const second = await start();
    await first.stop();
    expect(await answers(second.url)).to.equal(true);
  });

  it('lets one of several simultaneous starts win and the others adopt its server', async () => {
    const servers = await Promise.all([start(), start(), start(), start()]);
    expect(new Set(servers.map((server) => server.url)).size).to.equal(1);
    expect(await query(servers[0].url, 'SELECT 1 AS one')).to.deep.equal([{ one: 1 }]);
    expect(servers.filter((server) => !server.adopted)).to.have.length(1);
    expect((await readdir(folder)).filter((name) => name.includes('.partial-'))).to.deep.equal([]);
  });

  it('moves to another port when its own is taken', async () => {
    const before = await startUsed();
    const blocker = await startUsed({ folder: `${folder}-2` });
    await before.stop();
    await writeFile(join(folder, 'port'), `${new URL(blocker.url).port}\n`);
    const after = await start();
    expect(new URL(after.url).port).not.to.equal(new URL(blocker.url).port);
    expect(await answers(after.url)).to.equal(true);
  });

  it('starts after the server was killed, whoever has its process id now', async () => {
    const before = await startUsed({ fsync: true });
    await query(before.url, 'CREATE TABLE kept AS SELECT 42 AS answer');
    const pidFile = join(folder, 'data', 'postmaster.pid');
    const content = await readFile(pidFile, 'utf8');
    process.kill(Number.parseInt(content, 10), 'SIGKILL');
    await until(async () => !(await answers(before.url)));
    const account = await chooseAccount(await stat(join(folder, 'data')));
    const stranger = spawn('sleep', ['60'], account.uid ? { uid: account.uid, gid: account.gid ?? 0 } : {});
    try {
      await writeFile(pidFile, content.replace(/^\d+/, String(stranger.pid)));
      expect(await stopEmbeddedPostgres(folder)).to.equal(false);
      const after = await start({ fsync: true });
      expect(await query(after.url, 'SELECT answer FROM kept')).to.deep.equal([{ answer: 42 }]);
      expect(stranger.exitCode).to.equal(null);
    } finally {
      stranger.kill('SIGKILL');
    }
  });

  it('is looked after without a program being started to see it', async () => {
    const server = await startUsed();
    const path = process.env['PATH'];
    process.env['PATH'] = '/nowhere';
    try {
      expect(await server.revive()).to.equal(false);
    } finally {
      process.env['PATH'] = path;
    }
    expect(await answers(server.url)).to.equal(true);
  });

  it('is started again when it died, and not beside one that somebody else has started', async () => {
    const server = await startUsed();
    await server.crash();
    expect(await server.revive()).to.equal(true);
    expect(await answers(server.url)).to.equal(true);
    await stopEmbeddedPostgres(folder);
    const another = await start();
    expect(await server.revive()).to.equal(false);
    expect(await server.revive()).to.equal(false);
    await server.stop();
    expect(await answers(another.url)).to.equal(false);
  });

  it('recovers from an initdb that was killed half-way', async () => {
    const gone = spawn(process.execPath, ['--version']);
    await once(gone, 'exit');
    const half = join(folder, `data.partial-${gone.pid}-00000000`);
    await mkdir(join(half, 'base'), { recursive: true });
    await writeFile(join(half, 'PG_VERSION'), '18\n');
    const server = await start();
    expect(await answers(server.url)).to.equal(true);
    expect(existsSync(half)).to.equal(false);
  });

  it('says what is wrong, with the end of the log, when the server does not start', async () => {
    const error = await startUsed({ settings: { shared_buffers: 'plenty' } }).catch((error) => error);
    expect(error).to.be.instanceOf(CodedError).with.property('code', 'unavailable');
    expect(error.message).to.match(/shared_buffers.*DATABASE_URL/s);
  });

  it('keeps data whose password is lost', async () => {
    await (await startUsed()).stop();
    await rm(join(folder, 'password'));
    const error = await start().catch((error) => error);
    expect(error).to.be.instanceOf(CodedError).with.property('code', 'conflict');
  });

  it('stops a server that nobody supervises any more', async () => {
    const server = await startUsed();
    expect(await stopEmbeddedPostgres(folder)).to.equal(true);
    expect(await answers(server.url)).to.equal(false);
    expect(await stopEmbeddedPostgres(folder)).to.equal(false);
  });

  it('wipes the data of a stopped server only', async () => {
    const server = await startUsed();
    expect(await wipeEmbeddedPostgres(folder).catch((error) => error.code)).to.equal('conflict');
    await server.stop();
    await wipeEmbeddedPostgres(folder);
    expect(existsSync(folder)).to.equal(false);
    await wipeEmbeddedPostgres(folder);
  });

  it('runs where the path is hostile to shells and too long for a socket', async () => {
    const hostile = join(scratch, `sp ace "q" $(touch x) \`y\``, 'long'.repeat(30), 'postgres');
    const server = await start({ folder: hostile });
    expect(await answers(server.url)).to.equal(true);
  });

  it('runs whatever the umask takes away', async () => {
    const umask = process.umask(0o077);
    try {
      expect(await answers((await start()).url)).to.equal(true);
    } finally {
      process.umask(umask);
    }
  });

  it('removes ephemeral data on stop', async () => {
    const server = await start({ ephemeral: true });
    expect(await answers(server.url)).to.equal(true);
    await Promise.all([server.stop(), server.stop()]);
    expect(await answers(server.url)).to.equal(false);
    expect(existsSync(dirname(server.dataFolder))).to.equal(false);
    expect(existsSync(folder)).to.equal(false);
  });

  for (const [how, exit] of [
    ['is killed', (owner: ChildProcess) => owner.kill('SIGKILL')],
    ['ends without a word', (owner: ChildProcess) => owner.stdin?.end()],
  ] as const) {
    it(`removes an ephemeral server when its owner ${how}`, async () => {
      const code =
        `import { startEmbeddedPostgres } from ${JSON.stringify(modulePath)};` +
        'const server = await startEmbeddedPostgres({ folder: "", ephemeral: true, fsync: false });' +
        'console.log(JSON.stringify(server)); process.stdin.resume();';
      const owner = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', code], {
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      const [line] = await once(createInterface(owner.stdout), 'line');
      const server = JSON.parse(line) as EmbeddedPostgres;
      expect(await answers(server.url)).to.equal(true);
      exit(owner);
      await once(owner, 'exit');
      await until(() => !existsSync(dirname(server.dataFolder)));
      expect(await answers(server.url)).to.equal(false);
    });
  }

  describe('its binaries', () => {
    async function copyWithoutLinks(): Promise<string> {
      const copy = join(scratch, 'package');
      await cp(packageFolder, copy, { recursive: true, verbatimSymlinks: true });
      const links: { target: string }[] = JSON.parse(
        await readFile(join(copy, 'native/pg-symlinks.json'), 'utf8'),
      );
      expect(links).not.to.have.length(0);
      for (const { target } of links) await rm(join(copy, target));
      return copy;
    }

    it('get back the library links that a blocked install script left out', async () => {
      const copy = await copyWithoutLinks();
      const account = await chooseAccount();
      const broken = await runAs(account, join(copy, 'native/bin/initdb'), ['--version'], {
        limitMs: 10_000,
      });
      expect(broken.code).not.to.equal(0);
      const binaries = await findBinaries(account, { packageFolder: copy, cacheFolders: [] });
      expect(binaries.initdb).to.equal(join(copy, 'native/bin/initdb'));
      expect((await runAs(account, binaries.initdb, ['--version'], { limitMs: 10_000 })).code).to.equal(0);
    });

    it('are copied once, by several at a time, where they cannot be run', async () => {
      const copy = await copyWithoutLinks();
      await chmod(join(copy, 'native/bin/postgres'), 0o600);
      const cache = join(scratch, 'cache');
      const account = await chooseAccount();
      const find = () => findBinaries(account, { packageFolder: copy, cacheFolders: [cache] });
      const found = await Promise.all([find(), find(), find()]);
      expect(found[0].pgCtl.startsWith(cache)).to.equal(true);
      expect(new Set(found.map((binaries) => binaries.pgCtl)).size).to.equal(1);
      expect(await readdir(cache)).to.have.length(1);
    });

    it('are not taken from a folder that others can write to', async () => {
      const copy = await copyWithoutLinks();
      await chmod(join(copy, 'native/bin/postgres'), 0o600);
      const open = join(scratch, 'open');
      await mkdir(open);
      await chmod(open, 0o777);
      const account = await chooseAccount();
      const error = await findBinaries(account, { packageFolder: copy, cacheFolders: [open] }).catch(
        (e) => e,
      );
      expect(error).to.be.instanceOf(CodedError).with.property('code', 'unavailable');
      expect(error.message).to.include('only this user can write');
    });
  });
});

async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

/** Whether anything listens on the port of a URL. */
async function answers(url: string): Promise<boolean> {
  const socket = connect({ host: '127.0.0.1', port: Number(new URL(url).port) });
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function until(fact: () => boolean | Promise<boolean>, limitMs = 20_000): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (!(await fact())) {
    if (Date.now() > deadline) throw new Error(`Not within ${limitMs} ms: ${fact}`);
    await sleep(25);
  }
}
