import { join } from 'node:path';
import { type Config, databaseNames, givenDatabaseUrls } from '../platform/config.ts';
import { refuseOpenDoor } from '../platform/door-config.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../platform/embedded-postgres.ts';
import { CodedError } from '../platform/errors.ts';
import type { Logger } from '../platform/logging.ts';
import { PassLoop } from '../platform/pass-loop.ts';
import { createEphemeralDatabases } from './ephemeral-databases.ts';
import { Fleet } from './fleet.ts';
import { makeHome } from './home.ts';
import { localTokenLoop, writeLocalToken } from './local-identity.ts';
import { Logins } from './logins.ts';
import { migrate } from './migrate.ts';
import { releaseLock, takeLock } from './process-lock.ts';
import { type Runtime, removeRuntime, writeRuntime } from './runtime-file.ts';
import type { ProcessEvents } from './supervised-process.ts';
import { readTlsFiles } from './tls-files.ts';

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
  /** Undone in reverse order. */
  readonly #undo: (() => Promise<void>)[] = [];
  #fleet: Fleet | undefined;
  #databases: Pick<Runtime, 'databases' | 'embedded' | 'dataFolder'> | undefined;
  #stopped: Promise<void> | undefined;

  constructor(settings: SystemSettings) {
    this.#settings = settings;
  }

  /** Starts everything and resolves when all of it is ready. What was begun is undone when it fails. */
  async start(): Promise<Runtime> {
    const { config } = this.#settings;
    refuseOpenDoor(config.gatewayHost, config.door);
    if (config.door.tls !== undefined) readTlsFiles(config.door.tls);
    makeHome(config.home);
    const owner = takeLock(config.home);
    if (owner !== undefined) {
      const detail = `A system runs already in ${config.home} (process ${owner.pid}). See tillbox status; tillbox down ends it.`;
      throw new CodedError('already-running', detail);
    }
    this.#undo.push(async () => releaseLock(config.home));
    try {
      return await this.#startAll();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async #startAll(): Promise<Runtime> {
    const { config, instances, environment, events, log } = this.#settings;
    this.#databases = await this.#startDatabases();
    const { databases } = this.#databases;
    await migrate(databases, log);
    const logins = new Logins(databases, log);
    await logins.lookUp();
    const tokens = localTokenLoop(config, log);
    await writeLocalToken(config);
    tokens.start();
    this.#undo.push(() => tokens.stop());
    const started = (name: string, pid: number) => {
      events.started(name, pid);
      this.#writeRuntime();
    };
    const fleet = new Fleet({ config, instances, logins, environment, events: { ...events, started } });
    this.#undo.push(() => fleet.stop());
    await fleet.start();
    this.#fleet = fleet;
    this.#writeRuntime();
    return this.#runtime(fleet, this.#databases);
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
      if (await postgres.revive()) events.died('postgres', 'without being asked');
      return false;
    };
    const keeper = new PassLoop({ name: 'postgres', pass, idleMs: postgresPollMs, log });
    keeper.start();
    return keeper;
  }

  /** The runtime file names the processes there are now; one that died has another pid. */
  #writeRuntime(): void {
    if (this.#fleet === undefined || this.#databases === undefined || this.#stopped !== undefined) return;
    writeRuntime(this.#settings.config.home, this.#runtime(this.#fleet, this.#databases));
  }

  #runtime(fleet: Fleet, databases: Pick<Runtime, 'databases' | 'embedded' | 'dataFolder'>): Runtime {
    return { pid: process.pid, ephemeral: this.#settings.ephemeral, ...fleet.describe(), ...databases };
  }

  /** The daemons there are now. */
  get processes(): { name: string; pid: number }[] {
    return this.#fleet?.processes ?? [];
  }

  /** Stops everything, in the reverse order of the start. May be called twice, or before start. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stopAll();
    return this.#stopped;
  }

  async #stopAll(): Promise<void> {
    removeRuntime(this.#settings.config.home);
    for (const undo of this.#undo.reverse()) {
      await undo().catch((error: unknown) => this.#settings.log.error({ err: error }, 'stopping failed'));
    }
  }
}
