import { Door } from '../../gateway/door.ts';
import { type DoorConfig, isLoopback, refuseOpenDoor } from '../../platform/door-config.ts';
import { newCredential } from '../../platform/identity/gateway-credential.ts';
import type { SecretSource } from '../../platform/identity/token-sources.ts';
import { reservePort } from '../../system/ports.ts';
import { readTlsFiles } from '../../system/tls-files.ts';
import { DashboardFront } from './dashboard-front.ts';
import { DashboardProcess } from './dashboard-process.ts';

/** How the dashboard is started. */
export interface DashboardSettings {
  /** Its program, as `findDashboard` finds it. */
  program: string;
  /** Of the role it logs in with. */
  databaseUrl: string;
  host: string;
  port: number;
  /** Whom it lets in: as the gateway does. */
  door: DoorConfig;
  localSecret?: SecretSource | undefined;
}

/** pg-boss's dashboard, and before it the same door as the gateway's. */
export class Dashboard {
  readonly #settings: DashboardSettings;
  #process: DashboardProcess | undefined;
  #front: DashboardFront | undefined;
  #stopped = false;

  constructor(settings: DashboardSettings) {
    this.#settings = settings;
  }

  /**
   * Resolves with the URL when it can be used.
   * @throws CodedError `usage` for an address of other machines without identity or TLS, `conflict` for a port in use
   */
  async start(): Promise<string> {
    const { program, databaseUrl, host, port, door: config, localSecret } = this.#settings;
    refuseOpenDoor(host, config, '--host');
    // On this machine nobody stands in front, and TLS would only be in the way.
    const own = isLoopback(host) ? { ...config, tls: undefined, trustedProxies: [] } : config;
    const door = new Door({ config: own, host, localSecret });
    const tls = own.tls && readTlsFiles(own.tls);
    const behind = { port: await reservePort('127.0.0.1', 0, '--port'), password: newCredential() };
    this.#front = new DashboardFront({ host, port, door, tls, behind });
    this.#process = new DashboardProcess({ program, databaseUrl, ...behind });
    try {
      const url = await this.#front.start();
      if (!this.#stopped) await this.#process.start();
      return url;
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Rejects when the dashboard ends by itself. */
  untilDied(): Promise<never> {
    return this.#process?.untilDied() ?? Promise.reject(new Error('it was not started'));
  }

  /** Leaves nothing. May be called twice, or first. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all([this.#front?.stop(), this.#process?.stop()]);
  }
}
