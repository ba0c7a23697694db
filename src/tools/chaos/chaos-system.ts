import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DatabaseName, databaseNames, readConfig } from '../../platform/config.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../platform/embedded-postgres.ts';
import type { LogLevel } from '../../platform/log-levels.ts';
import { createLogger } from '../../platform/logging.ts';
import type { DatabaseUrls } from '../../system/migrate.ts';
import { System } from '../../system/system.ts';
import type { Server } from './faults.ts';
import { TcpLink } from './tcp-link.ts';

/** A system to be harmed: servers of its own, links between them and the daemons, everything ephemeral. */
export class ChaosSystem {
  readonly #home = mkdtempSync(join(tmpdir(), 'tillbox-chaos-'));
  readonly #settings: ChaosSystemSettings;
  readonly #undo: (() => Promise<void>)[] = [];
  #system: System | undefined;
  servers: Server[] = [];
  links: { name: string; link: TcpLink }[] = [];
  /** Administrator URLs past the links. */
  urls = {} as DatabaseUrls;
  gatewayUrl = '';
  /** Daemons that ended by themselves. */
  readonly crashes: string[] = [];

  constructor(settings: ChaosSystemSettings) {
    this.#settings = settings;
  }

  /** Starts it and resolves when it is ready. What was begun is for `stop` to undo. */
  async start(): Promise<void> {
    const servers = await this.#startServers();
    this.urls = Object.fromEntries(databaseNames.map((name) => [name, servers[name].url])) as DatabaseUrls;
    const linked = Object.fromEntries(
      await Promise.all(databaseNames.map(async (name) => [name, await this.#link(name, servers[name].url)])),
    ) as DatabaseUrls;
    const config = readConfig({
      TILLBOX_HOME: this.#home,
      GATEWAY_PORT: '0',
      ORDERS_PORT: '0',
      PAYMENTS_PORT: '0',
      ORDERS_DATABASE_URL: linked.orders,
      PAYMENTS_DATABASE_URL: linked.payments,
      BROKER_DATABASE_URL: linked.broker,
      TILLBOX_LOG_LEVEL: this.#settings.logLevel,
    });
    const system = new System({
      config,
      ephemeral: false,
      instances: this.#settings.instances,
      environment: process.env,
      log: createLogger('chaos', 'silent'),
      events: {
        line: (name, line) => this.#settings.onLine(name, line),
        // Whoever is killed dies of a signal; whoever ends by itself has a bug.
        died: (name, how) => how.startsWith('exit code') && this.crashes.push(`${name}: ${how}`),
        started: () => {},
      },
    });
    this.#system = system;
    this.#undo.push(() => system.stop());
    this.gatewayUrl = (await system.start()).gateway.url;
  }

  processes(): { name: string; pid: number }[] {
    return this.#system?.processes ?? [];
  }

  /** Ends everything, in reverse order. May be called twice, or when the start failed half-way. */
  async stop(): Promise<void> {
    for (const undo of this.#undo.splice(0).reverse()) await undo().catch(() => {});
    rmSync(this.#home, { recursive: true, force: true });
  }

  async #startServers(): Promise<Record<DatabaseName, EmbeddedPostgres>> {
    const start = async (name: string) => {
      const server = await startEmbeddedPostgres({ folder: '', ephemeral: true });
      this.#undo.push(() => server.stop());
      this.servers.push({ name, crash: () => server.crash(), revive: () => server.revive() });
      return server;
    };
    if (this.#settings.separateDatabases) {
      const [orders, payments, broker] = await Promise.all([
        start('orders'),
        start('payments'),
        start('broker'),
      ]);
      return { orders, payments, broker };
    }
    const one = await start('postgres');
    return { orders: one, payments: one, broker: one };
  }

  async #link(name: string, url: string): Promise<string> {
    const target = new URL(url);
    const link = new TcpLink({ host: target.hostname, port: Number(target.port) });
    this.#undo.push(() => link.stop());
    this.links.push({ name, link });
    target.host = `127.0.0.1:${await link.start()}`;
    return target.href;
  }
}

/** How a system to be harmed is made. */
export interface ChaosSystemSettings {
  separateDatabases: boolean;
  instances: { orders: number; payments: number };
  logLevel: LogLevel;
  onLine(name: string, line: string): void;
}
