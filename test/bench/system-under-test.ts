import { mkdirSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import { createLogger } from '../../src/platform/logging.ts';
import type { EphemeralDatabases } from '../../src/system/ephemeral-databases.ts';
import { reservePort } from '../../src/system/ports.ts';
import { roleUrl } from '../../src/system/roles.ts';
import { type Runtime, readRuntime } from '../../src/system/runtime-file.ts';
import { audit } from '../../src/tools/audit/audit.ts';
import { DaemonProcess } from '../support/daemon-process.ts';
import { anyPorts, runTillbox } from '../support/running-system.ts';
import { type BenchServer, openAdministrator } from './bench-server.ts';
import type { Watched } from './process-usage.ts';

/** How long what was accepted may take to settle before it counts as lost. */
const quietMs = 120_000;

/** Something was lost, or happened twice: what the bench fails on. */
export class LossError extends Error {}

/** A whole system as `tillbox up --detach` runs it, on a fresh database of the bench's server. */
export class SystemUnderTest {
  readonly #server: BenchServer;
  readonly #home: string;
  readonly #databases: EphemeralDatabases;
  readonly #environment: Record<string, string>;
  readonly admin: pg.Client;
  #stopped: Promise<void> | undefined;

  private constructor(
    server: BenchServer,
    parts: {
      home: string;
      databases: EphemeralDatabases;
      admin: pg.Client;
      environment: Record<string, string>;
    },
  ) {
    this.#server = server;
    this.#home = parts.home;
    this.#databases = parts.databases;
    this.#environment = parts.environment;
    this.admin = parts.admin;
  }

  /** @param environment variables of its own */
  static async start(
    server: BenchServer,
    environment: Record<string, string> = {},
  ): Promise<SystemUnderTest> {
    const homes = join(server.home, 'homes');
    mkdirSync(homes, { recursive: true });
    const databases = await server.createDatabase();
    const admin = await openAdministrator(databases.urls.orders);
    const home = mkdtempSync(join(homes, 'home-'));
    const system = new SystemUnderTest(server, { home, databases, admin, environment });
    server.onStop(() => system.stop());
    try {
      await system.#tillbox(['up', '--detach']);
      return system;
    } catch (error) {
      await system.stop();
      throw error;
    }
  }

  /** Runs a command that must succeed. */
  async #tillbox(args: readonly string[]): Promise<void> {
    const env = {
      ...anyPorts,
      ...this.#environment,
      DATABASE_URL: this.#databases.urls.orders,
      NO_COLOR: '1',
    };
    const { code, stderr } = await runTillbox(args, { home: this.#home, env });
    if (code !== 0) throw new Error(`tillbox ${args.join(' ')} ended with ${code}: ${stderr}`);
  }

  get runtime(): Runtime {
    const runtime = readRuntime(this.#home);
    if (runtime === undefined) throw new Error('the system has ended');
    return runtime;
  }

  /** The gateway. */
  get url(): string {
    return this.runtime.gateway.url;
  }

  /** The URL the orders service logs in with. */
  ordersLogin(): Promise<string> {
    return roleUrl(this.#databases.urls.orders, 'orders', createLogger('bench', 'silent'));
  }

  /** Every process of it, the server too. */
  get processes(): Watched[] {
    const { pid, gateway, orders, payments } = this.runtime;
    return [
      { name: 'gateway', pid: gateway.pid },
      ...orders.map((daemon) => ({ name: 'orders', pid: daemon.pid })),
      ...payments.map((daemon) => ({ name: 'payments', pid: daemon.pid })),
      { name: 'supervisor', pid },
      { name: 'postgres', pid: this.#server.pid, withChildren: true },
    ];
  }

  /** Waits until nothing is on its way and checks every invariant. @throws LossError */
  async expectNothingLost(): Promise<void> {
    const { ok, violations } = await audit(this.#databases.urls, { waitMs: quietMs });
    if (ok) return;
    const [first] = violations;
    throw new LossError(
      `${violations.length} violations, the first: ${first?.invariant} ${first?.id} ${first?.detail}`,
    );
  }

  /** Ends everything but an orders daemon, which goes on publishing while `work` is done, and starts it all again. */
  async withoutPayments(work: () => Promise<void>): Promise<void> {
    await this.#tillbox(['down']);
    const port = await reservePort('127.0.0.1', 0, 'ORDERS_PORT');
    const orders = new DaemonProcess({
      name: 'orders',
      service: 'orders',
      url: `http://127.0.0.1:${port}`,
      environment: {
        TILLBOX_HOME: this.#home,
        DATABASE_URL: this.#databases.urls.orders,
        ORDERS_PORT: String(port),
      },
    });
    orders.start();
    try {
      await work();
    } finally {
      await orders.stop('SIGTERM');
    }
    await this.#tillbox(['up', '--detach']);
  }

  /** Ends it, and its database with it. May be called twice. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    await this.#tillbox(['down']);
    await this.admin.end();
    await this.#databases.drop();
  }
}
