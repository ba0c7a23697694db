import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { type DatabaseName, databaseNames } from '../../src/platform/config.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/platform/embedded-postgres.ts';
import { type DatabaseUrls, migrate } from '../../src/system/migrate.ts';
import { reservePort } from '../../src/system/ports.ts';
import { roleUrl } from '../../src/system/roles.ts';
import { TcpLink } from '../../src/tools/chaos/tcp-link.ts';
import { DaemonProcess } from './daemon-process.ts';
import { eventually } from './eventually.ts';
import { silentLog } from './test-server.ts';

type Service = 'gateway' | 'orders' | 'payments';

/** What is to be harmed. */
export interface HarmedSystemSettings {
  /** A server for each database; otherwise one for all, still with a link for each. */
  separateDatabases?: boolean;
  instances?: Partial<Record<Service, number>>;
  /** Settings of the servers. */
  settings?: Record<string, string>;
  fsync?: boolean;
  /** Modules a daemon loads first, by service. */
  preload?: Partial<Record<Service, readonly string[]>>;
  /** Variables its daemons get besides. */
  environment?: Record<string, string>;
}

/**
 * A whole system for a directed fault: embedded servers, a link between all daemons and each database, and
 * daemons that nobody starts again. What a test does to it, it does by name.
 */
export class HarmedSystem {
  readonly #settings: HarmedSystemSettings;
  readonly #home = mkdtempSync(join(tmpdir(), 'tillbox-faults-'));
  readonly #undo: (() => Promise<unknown>)[] = [];
  readonly #afterTest: (() => Promise<unknown>)[] = [];
  readonly #admins = new Map<DatabaseName, pg.Pool>();
  servers = {} as Record<DatabaseName, EmbeddedPostgres>;
  links = {} as Record<DatabaseName, TcpLink>;
  /** Administrator URLs, past the links. */
  urls = {} as DatabaseUrls;
  /** The broker's login, past the links. */
  brokerUrl = '';
  daemons: DaemonProcess[] = [];

  constructor(settings: HarmedSystemSettings = {}) {
    this.#settings = settings;
  }

  /** Starts everything and resolves when all of it is ready. */
  async start(): Promise<void> {
    await this.startServers();
    await migrate(this.urls, silentLog);
    await this.makeDaemons();
    for (const daemon of this.daemons) daemon.start();
    await this.untilReady();
  }

  /** Starts the servers and the links to them: the databases are empty. */
  async startServers(): Promise<void> {
    const { settings, fsync = false } = this.#settings;
    const open = async () => {
      const server = await startEmbeddedPostgres({
        folder: '',
        ephemeral: true,
        fsync,
        ...(settings === undefined ? {} : { settings }),
      });
      this.#undo.push(() => server.stop());
      return server;
    };
    const shared = this.#settings.separateDatabases ? undefined : await open();
    for (const name of databaseNames) {
      this.servers[name] = shared ?? (await open());
      this.urls[name] = this.servers[name].url;
      const { hostname, port } = new URL(this.urls[name]);
      this.links[name] = new TcpLink({ host: hostname, port: Number(port) });
      this.#undo.push(() => this.links[name].stop());
    }
  }

  /** Makes the daemons without starting them, with the logins of their roles, or before there are any. */
  async makeDaemons({ migrated = true } = {}): Promise<void> {
    const { instances, preload, environment } = this.#settings;
    const linked = {} as DatabaseUrls;
    for (const name of databaseNames) {
      const url = new URL(migrated ? await roleUrl(this.urls[name], name, silentLog) : this.urls[name]);
      if (name === 'broker' && migrated) this.brokerUrl = url.href;
      url.host = `127.0.0.1:${await this.links[name].start()}`;
      linked[name] = url.href;
    }
    const urlsOf = { orders: [] as string[], payments: [] as string[] };
    const add = async (service: Service, index: number, own: Record<string, string>) => {
      const port = await reservePort('127.0.0.1', 0, 'PORT');
      const url = `http://127.0.0.1:${port}`;
      if (service !== 'gateway') urlsOf[service].push(url);
      const daemon = new DaemonProcess({
        name: `${service}-${index + 1}`,
        service,
        url,
        preload: preload?.[service] ?? [],
        environment: {
          TILLBOX_HOME: this.#home,
          TILLBOX_LOG_LEVEL: 'info',
          ...environment,
          ...own,
          [`${service.toUpperCase()}_PORT`]: String(port),
        },
      });
      this.daemons.push(daemon);
      this.#undo.push(() => daemon.stop('SIGKILL'));
    };
    for (const service of ['orders', 'payments'] as const) {
      const own = {
        [`${service.toUpperCase()}_DATABASE_URL`]: linked[service],
        BROKER_DATABASE_URL: linked.broker,
      };
      for (let index = 0; index < (instances?.[service] ?? 1); index += 1) await add(service, index, own);
    }
    const upstreams = { ORDERS_URL: urlsOf.orders.join(','), PAYMENTS_URL: urlsOf.payments.join(',') };
    for (let index = 0; index < (instances?.gateway ?? 1); index += 1) await add('gateway', index, upstreams);
  }

  async untilReady({ withinMs = 60_000 } = {}): Promise<void> {
    await eventually(
      async () => {
        for (const daemon of this.daemons) {
          if (!(await daemon.isReady()))
            throw new Error(`${daemon.name} is not ready: ${daemon.lines.at(-1)}`);
        }
      },
      { withinMs, everyMs: 50 },
    );
  }

  /** The daemons of a service. */
  of(service: Service): DaemonProcess[] {
    return this.daemons.filter((daemon) => daemon.service === service);
  }

  /** The first daemon of a service. */
  first(service: Service): DaemonProcess {
    return this.of(service)[0] as DaemonProcess;
  }

  get gatewayUrls(): string[] {
    return this.of('gateway').map(({ url }) => url);
  }

  /** Ends of daemons that nobody asked for. */
  get crashes(): string[] {
    return this.daemons.flatMap(({ crashes }) => crashes);
  }

  /** Runs SQL as administrator, past the links; `bigint` arrives as text. */
  async sql<Row extends object = Record<string, unknown>>(
    database: DatabaseName,
    text: string,
    values: unknown[] = [],
  ): Promise<Row[]> {
    return (await this.#admin(database).query(text, values)).rows;
  }

  /** What a query counts, in a column `count`. */
  async count(database: DatabaseName, text: string): Promise<number> {
    const [row] = await this.sql<{ count: string }>(database, text);
    return Number(row?.count);
  }

  /** The time by a database's clock, as text, to compare with what it stores. */
  async now(database: DatabaseName): Promise<string> {
    const [row] = await this.sql<{ now: string }>(database, 'select now()::text as now');
    return row?.now ?? '';
  }

  /** A connection of an administrator, past the links, to hold something with; closed at the end at the latest. */
  async hold(database: DatabaseName): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: this.urls[database] });
    client.on('error', () => {});
    await client.connect();
    this.#undo.push(() => client.end());
    return client;
  }

  /** Lets something be ended with the test that runs, when it could not itself: the next one is not to meet it. */
  onTestEnd(undo: () => Promise<unknown>): void {
    this.#afterTest.push(undo);
  }

  /** Ends what the test that ran has left. */
  async endTest(): Promise<void> {
    for (const undo of this.#afterTest.splice(0).reverse()) await undo();
  }

  /** Lets something be ended with the system, when a test could not. */
  onStop(undo: () => Promise<unknown>): void {
    this.#undo.push(undo);
  }

  #admin(database: DatabaseName): pg.Pool {
    let pool = this.#admins.get(database);
    if (pool === undefined) {
      pool = new pg.Pool({ connectionString: this.urls[database], max: 4 });
      pool.on('error', () => {});
      this.#admins.set(database, pool);
    }
    return pool;
  }

  migrate() {
    return migrate(this.urls, silentLog);
  }

  /** Ends everything. */
  async stop(): Promise<void> {
    await this.endTest();
    await Promise.all([...this.#admins.values()].map((pool) => pool.end().catch(() => {})));
    for (const undo of this.#undo.splice(0).reverse()) await undo().catch(() => {});
    rmSync(this.#home, { recursive: true, force: true });
  }
}

/** Gives the tests of a describe block a system to harm. Shows what its daemons said when a test failed. */
export function useHarmedSystem(settings: HarmedSystemSettings = {}): HarmedSystem {
  const system = new HarmedSystem(settings);
  before(async function () {
    this.timeout(90_000);
    await system.start();
  });
  afterEach(() => system.endTest());
  afterEach(function () {
    if (this.currentTest?.state !== 'failed') return;
    console.error(this.currentTest.err?.message.slice(0, 1_000));
    for (const { name, lines } of system.daemons) console.error(`${name}:\n${lines.slice(-8).join('\n')}`);
  });
  after(async function () {
    this.timeout(60_000);
    await system.stop();
  });
  return system;
}
