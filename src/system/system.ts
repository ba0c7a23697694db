import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Config, databaseNames, givenDatabaseUrls } from '../platform/config.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../platform/embedded-postgres.ts';
import { CodedError } from '../platform/errors.ts';
import type { Logger } from '../platform/logging.ts';
import { PassLoop } from '../platform/pass-loop.ts';
import { createEphemeralDatabases } from './ephemeral-databases.ts';
import { type DatabaseUrls, migrate } from './migrate.ts';
import { reservePort } from './ports.ts';
import { releaseLock, takeLock } from './process-lock.ts';
import { roleUrl } from './roles.ts';
import { type Runtime, removeRuntime, writeRuntime } from './runtime-file.ts';
import { type ProcessEvents, SupervisedProcess } from './supervised-process.ts';

const readyMsMax = 60_000;
const readyPollMs = 30;
/** How soon an embedded server that died is noticed. */
const postgresPollMs = 500;

/** How a whole system is to be run. */
export interface SystemSettings {
  config: Config;
  /** Fresh databases that vanish at the end. */
  ephemeral: boolean;
  /** How many of each service. */
  instances: { orders: number; payments: number };
  /** What a daemon gets of the environment besides its own settings. */
  environment: Readonly<Record<string, string | undefined>>;
  events: ProcessEvents;
  log: Logger;
}

/**
 * The whole of tillbox on one machine, as `tillbox up` runs it: databases (embedded unless URLs are given),
 * migrations, and a process for each daemon, started again when it dies. One at a time for each home.
 */
export class System {
  readonly #settings: SystemSettings;
  readonly #processes: SupervisedProcess[] = [];
  /** Undone in reverse order. */
  readonly #undo: (() => Promise<void>)[] = [];
  #runtime: Runtime | undefined;
  #stopped: Promise<void> | undefined;

  constructor(settings: SystemSettings) {
    this.#settings = settings;
  }

  /** Starts everything and resolves when all of it is ready. What was begun is undone when it fails. */
  async start(): Promise<Runtime> {
    const { config } = this.#settings;
    mkdirSync(config.home, { recursive: true, mode: 0o700 });
    const owner = takeLock(config.home);
    if (owner !== undefined) {
      const detail = `A system runs already in ${config.home} (process ${owner.pid}). See tillbox status; tillbox down ends it.`;
      throw new CodedError('already-running', detail);
    }
    this.#undo.push(async () => releaseLock(config.home));
    try {
      this.#runtime = await this.#startAll();
      this.#writeRuntime();
      return this.#runtime;
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async #startAll(): Promise<Runtime> {
    const { databases, embedded, dataFolder } = await this.#startDatabases();
    await migrate(databases, this.#settings.log);
    const runtime = { ...(await this.#startDaemons(databases)), databases, embedded, dataFolder };
    await this.#untilReady(runtime.gateway.url);
    return runtime;
  }

  async #startDatabases(): Promise<Pick<Runtime, 'databases' | 'embedded' | 'dataFolder'>> {
    const { config, ephemeral, log } = this.#settings;
    const given = givenDatabaseUrls(config, databaseNames);
    if (given === undefined) {
      const postgres = await startEmbeddedPostgres({
        folder: join(config.home, 'postgres'),
        ephemeral,
        log: (message, fields) => log.debug(fields ?? {}, message),
      });
      const keeper = this.#keepAlive(postgres);
      this.#undo.push(async () => {
        await keeper.stop();
        await postgres.stop();
      });
      const databases = { orders: postgres.url, payments: postgres.url, broker: postgres.url };
      return { databases, embedded: true, dataFolder: postgres.dataFolder };
    }
    if (!ephemeral) return { databases: given, embedded: false, dataFolder: null };
    const fresh = await createEphemeralDatabases(given);
    this.#undo.push(() => fresh.drop());
    return { databases: fresh.urls, embedded: false, dataFolder: null };
  }

  /** A server that dies is started again, like a daemon. */
  #keepAlive(postgres: EmbeddedPostgres): PassLoop {
    const { events, log } = this.#settings;
    const pass = async () => {
      if (await postgres.revive()) events.died('postgres', 'started it again');
      return false;
    };
    const keeper = new PassLoop({ name: 'postgres', pass, idleMs: postgresPollMs, log });
    keeper.start();
    return keeper;
  }

  async #startDaemons(databases: DatabaseUrls) {
    const { config, instances, log } = this.#settings;
    const urls: DatabaseUrls = {
      orders: await roleUrl(databases.orders, 'orders', log),
      payments: await roleUrl(databases.payments, 'payments', log),
      broker: await roleUrl(databases.broker, 'broker', log),
    };
    const services = {
      orders: await this.#startService('orders', instances.orders, config.ordersPort, urls),
      payments: await this.#startService('payments', instances.payments, config.paymentsPort, urls),
    };
    const { gatewayHost } = config;
    const port = await reservePort(gatewayHost, config.gatewayPort, 'GATEWAY_PORT');
    const gateway = this.#startProcess('gateway', ['serve', 'gateway'], {
      GATEWAY_HOST: gatewayHost,
      GATEWAY_PORT: String(port),
      ORDERS_URL: services.orders.map(({ url }) => url).join(','),
      PAYMENTS_URL: services.payments.map(({ url }) => url).join(','),
    });
    const host = gatewayHost.includes(':') ? `[${gatewayHost}]` : gatewayHost;
    return {
      pid: process.pid,
      ephemeral: this.#settings.ephemeral,
      gateway: { url: `http://${host}:${port}`, pid: gateway.pid ?? 0 },
      ...services,
    };
  }

  /** Starts the instances of a service, each with nothing but its own role's URLs. */
  async #startService(service: 'orders' | 'payments', count: number, firstPort: number, urls: DatabaseUrls) {
    const variable = service.toUpperCase();
    const started: { url: string; pid: number }[] = [];
    for (let index = 0; index < count; index += 1) {
      const wanted = firstPort === 0 ? 0 : firstPort + index;
      const port = await reservePort('127.0.0.1', wanted, `${variable}_PORT`);
      const name = count === 1 ? service : `${service}-${index + 1}`;
      const { pid } = this.#startProcess(name, ['serve', service], {
        [`${variable}_DATABASE_URL`]: urls[service],
        BROKER_DATABASE_URL: urls.broker,
        [`${variable}_PORT`]: String(port),
      });
      started.push({ url: `http://127.0.0.1:${port}`, pid: pid ?? 0 });
    }
    return started;
  }

  #startProcess(name: string, args: string[], own: Record<string, string>): SupervisedProcess {
    const { config, environment, events } = this.#settings;
    const daemon = new SupervisedProcess({
      name,
      arguments: args,
      environment: {
        ...inherited(environment),
        TILLBOX_HOME: config.home,
        TILLBOX_LOG_LEVEL: config.logLevel,
        ...own,
      },
      events: { ...events, started: (...told) => this.#onStarted(...told) },
    });
    this.#processes.push(daemon);
    daemon.start();
    return daemon;
  }

  #onStarted(name: string, pid: number): void {
    this.#settings.events.started(name, pid);
    if (this.#runtime === undefined) return;
    const started = this.#processes.filter((daemon) => daemon.name === name);
    if (started.length > 0) this.#writeRuntime();
  }

  /** The runtime file names the processes there are now; one that died has another pid. */
  #writeRuntime(): void {
    if (this.#runtime === undefined || this.#stopped !== undefined) return;
    const pids = new Map(this.#processes.map(({ name, pid }) => [name, pid ?? 0]));
    const withPids = (service: 'orders' | 'payments', list: Runtime['orders']) =>
      list.map(({ url }, index) => ({
        url,
        pid: pids.get(service) ?? pids.get(`${service}-${index + 1}`) ?? 0,
      }));
    this.#runtime = {
      ...this.#runtime,
      gateway: { ...this.#runtime.gateway, pid: pids.get('gateway') ?? 0 },
      orders: withPids('orders', this.#runtime.orders),
      payments: withPids('payments', this.#runtime.payments),
    };
    writeRuntime(this.#settings.config.home, this.#runtime);
  }

  /** Resolves when every instance is ready. */
  async #untilReady(gatewayUrl: string): Promise<void> {
    const deadline = performance.now() + readyMsMax;
    while (performance.now() < deadline) {
      if (this.#stopped !== undefined) throw new CodedError('conflict', 'Stopped before it was ready.');
      if (await allReady(gatewayUrl)) return;
      await sleep(readyPollMs);
    }
    const lines = this.#processes.flatMap(({ name, lastLines }) =>
      lastLines.slice(-3).map((line) => `${name}: ${line}`),
    );
    throw new CodedError('unavailable', `The daemons did not become ready in a minute.\n${lines.join('\n')}`);
  }

  /** The daemons there are now. */
  get processes(): { name: string; pid: number }[] {
    return this.#processes.flatMap(({ name, pid }) => (pid === undefined ? [] : [{ name, pid }]));
  }

  /** Stops everything, from the outside in. May be called twice, or before start. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stopAll();
    return this.#stopped;
  }

  async #stopAll(): Promise<void> {
    removeRuntime(this.#settings.config.home);
    const gateway = this.#processes.filter(({ name }) => name === 'gateway');
    const services = this.#processes.filter(({ name }) => name !== 'gateway');
    for (const group of [gateway, services]) await Promise.all(group.map((daemon) => daemon.stop()));
    for (const undo of this.#undo.reverse()) {
      await undo().catch((error: unknown) => this.#settings.log.error({ err: error }, 'stopping failed'));
    }
  }
}

async function allReady(gatewayUrl: string): Promise<boolean> {
  try {
    const answer = await fetch(`${gatewayUrl}/readyz`, { signal: AbortSignal.timeout(5_000) });
    const { orders, payments } = (await answer.json()) as Record<'orders' | 'payments', { ready: boolean }[]>;
    return [...orders, ...payments].every(({ ready }) => ready);
  } catch {
    return false;
  }
}

/** What every program expects of its environment. No URL, no secret. */
function inherited(environment: SystemSettings['environment']): Record<string, string> {
  const names = [
    'PATH',
    'HOME',
    'USER',
    'LANG',
    'LC_ALL',
    'TZ',
    'TMPDIR',
    'NODE_EXTRA_CA_CERTS',
    'PGSSLMODE',
    'PGSSLROOTCERT',
  ];
  return Object.fromEntries(names.flatMap((name) => (environment[name] ? [[name, environment[name]]] : [])));
}
