import type { FastifyInstance, FastifyReply } from 'fastify';
import { Database, plansByIndex } from '../platform/database.ts';
import { CodedError } from '../platform/errors.ts';
import { createHttpServer, listen } from '../platform/http-server.ts';
import { openForGateway } from '../platform/identity/service-door.ts';
import { type Daemon, waitUntilAvailable } from '../platform/lifecycle.ts';
import type { Logger } from '../platform/logging.ts';
import type { RetentionSettings } from '../platform/retention.ts';
import { Broker, type Delivery } from './broker.ts';
import type { Queue } from './messages.ts';
import { Outbox } from './outbox.ts';
import { OutboxRelay } from './outbox-relay.ts';

/** Connections to a service's own database; the broker's come on top (see broker.ts). */
export const serviceConnectionsMax = 4;

/** Where a service finds what it needs, each URL with the role it logs in with. */
export interface ServiceSettings {
  databaseUrl: string;
  brokerUrl: string;
  /** Address and port of its HTTP; port 0 takes any free one. */
  host: string;
  port: number;
  /** What the gateway shows; without it whoever reaches the service is believed. */
  gatewaySecret?: string | undefined;
  retention: RetentionSettings;
  log: Logger;
}

/** Something a service runs besides: a loop with a life. */
export interface Loop {
  start(): void;
  stop(): Promise<void>;
}

/** What every service is made of, before it says what it does with it. */
export interface ServiceParts {
  database: Database;
  outbox: Outbox;
  relay: OutboxRelay;
  broker: Pick<Broker, 'hasForgotten' | 'hasBacklog'>;
  retention: RetentionSettings;
  log: Logger;
}

/** What makes one service differ from another. */
export interface ServiceDuties {
  routes(app: FastifyInstance): void;
  /** The queue it receives from, and what it does with a batch; resolves when that is committed. */
  queue: Queue;
  handle(deliveries: Delivery[]): Promise<void>;
  loops: readonly Loop[];
}

/**
 * What the orders and the payments daemon have in common: HTTP, a database, an outbox with its relay, one
 * queue to receive from, and a life. It listens at once, and is ready when database and broker have answered.
 */
export class Service implements Daemon {
  readonly #name: 'orders' | 'payments';
  readonly #settings: ServiceSettings;
  readonly #app: FastifyInstance;
  readonly #parts: ServiceParts;
  readonly #broker: Broker;
  readonly #duties: ServiceDuties;
  readonly #stopping = new AbortController();
  #started: Promise<void> | undefined;
  #ready = false;

  constructor(
    name: 'orders' | 'payments',
    settings: ServiceSettings,
    dutiesOf: (parts: ServiceParts) => ServiceDuties,
  ) {
    const { databaseUrl, brokerUrl, retention, log } = settings;
    this.#name = name;
    this.#settings = settings;
    this.#app = createHttpServer({ log, bodies: 'json' });
    openForGateway(this.#app, settings.gatewaySecret);
    this.#broker = new Broker({ url: brokerUrl, name, log });
    const database = new Database({
      url: databaseUrl,
      name: `tillbox ${name}`,
      connectionsMax: serviceConnectionsMax,
      settings: plansByIndex,
      log,
    });
    const outbox = new Outbox(name);
    const relay = new OutboxRelay({ database, outbox, broker: this.#broker, log });
    this.#parts = { database, outbox, relay, broker: this.#broker, retention, log };
    this.#duties = dutiesOf(this.#parts);
    this.#app.get('/readyz', (_request, reply) => this.#answerReady(reply));
    this.#duties.routes(this.#app);
  }

  /** Listens; answers the URL. What it waits for (database, broker, migration) is told in the log. */
  async start(): Promise<string> {
    const { host, port, log } = this.#settings;
    const url = await listen(this.#app, host, port);
    log.info({ url }, 'listening');
    this.#started = this.#startBehind();
    return url;
  }

  async #startBehind(): Promise<void> {
    const { database, outbox, relay, log } = this.#parts;
    const options = { log, signal: this.#stopping.signal };
    const { queue, handle, loops } = this.#duties;
    if (!(await waitUntilAvailable('database', () => outbox.check(database), options))) return;
    if (!(await waitUntilAvailable('broker', () => this.#broker.start(), options))) return;
    if (!(await waitUntilAvailable('queue', () => this.#broker.receive(queue, handle), options))) return;
    for (const loop of [relay, ...loops]) loop.start();
    this.#ready = true;
    log.info('ready');
  }

  /** Resolves true when database and broker are there, false when stopped before. */
  async untilReady(): Promise<boolean> {
    await this.#started;
    return this.#ready;
  }

  async #answerReady(reply: FastifyReply) {
    const about = { service: this.#name, pid: process.pid };
    if (!this.#ready) {
      reply.code(503).header('retry-after', 1);
      return { ready: false, ...about };
    }
    try {
      await this.#parts.database.ping();
      return { ready: true, ...about };
    } catch (cause) {
      throw new CodedError('unavailable', `The database of ${this.#name} does not answer.`, { cause });
    }
  }

  /** Stops from the outside in: requests, messages, loops, connections. May be called twice, or before start. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#ready = false;
    const { database, relay } = this.#parts;
    const loops = this.#duties.loops.map((loop) => loop.stop());
    await this.#app.close();
    await this.#started;
    await this.#broker.stop();
    await Promise.all([relay.stop(), ...loops]);
    await database.close();
  }
}
