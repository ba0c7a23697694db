import type { Meter } from '@opentelemetry/api';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { Database } from '../platform/database.ts';
import { CodedError } from '../platform/errors.ts';
import { createHttpServer, listen } from '../platform/http-server.ts';
import { openForGateway } from '../platform/identity/service-door.ts';
import { type Daemon, waitUntilAvailable } from '../platform/lifecycle.ts';
import type { Logger } from '../platform/logging.ts';
import { plansByIndex } from '../platform/postgres-connection.ts';
import type { RetentionSettings } from '../platform/retention.ts';
import { measureRequests } from '../platform/telemetry/http-metrics.ts';
import { traceRequests } from '../platform/telemetry/http-spans.ts';
import type { Spans } from '../platform/telemetry/spans.ts';
import { addBoardRoutes } from './board.ts';
import { Broker, type Delivery } from './broker/broker.ts';
import { serviceConnectionsMax } from './connections.ts';
import { observeService } from './gauges.ts';
import { type Instruments, MeteredInstruments, noInstruments } from './instruments.ts';
import type { Queue } from './messages.ts';
import { Outbox } from './outbox.ts';
import { OutboxRelay } from './outbox-relay.ts';
import { StepTally } from './step-tally.ts';
import { tracedPublishing } from './traced-publishing.ts';

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
  /** What it is measured with; without it nothing is. */
  meter?: Meter | undefined;
  /** What its traces are recorded with; without it none are. */
  spans?: Spans | undefined;
  /** Told when database or broker refuse something, which will be repeated. */
  onTrouble?: (() => void) | undefined;
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
  broker: Pick<Broker, 'ageMs' | 'hasForgotten' | 'hasBacklog'>;
  instruments: Instruments;
  spans: Spans | undefined;
  retention: RetentionSettings;
  log: Logger;
}

/** What makes one service differ from another. */
export interface ServiceDuties {
  routes(app: FastifyInstance): void;
  /** The queue it receives from, and what it does with a batch; resolves when that is committed. */
  queue: Queue;
  handle(deliveries: Delivery[]): Promise<void>;
  /** What the gateway's board is told besides what waits: how these orders, and recent ones, stand. */
  report(orderIds: readonly string[]): Promise<object>;
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
  #unobserve: () => void = () => {};
  #started: Promise<void> | undefined;
  #ready = false;

  constructor(
    name: 'orders' | 'payments',
    settings: ServiceSettings,
    dutiesOf: (parts: ServiceParts) => ServiceDuties,
  ) {
    const { databaseUrl, brokerUrl, retention, meter, spans, onTrouble, log } = settings;
    this.#name = name;
    this.#settings = settings;
    this.#app = createHttpServer({ log, bodies: 'json' });
    openForGateway(this.#app, settings.gatewaySecret);
    if (meter !== undefined) measureRequests(this.#app, meter);
    if (spans !== undefined) traceRequests(this.#app, spans, false);
    this.#broker = new Broker({ url: brokerUrl, name, onTrouble, log });
    const database = new Database({
      url: databaseUrl,
      name: `tillbox ${name}`,
      connectionsMax: serviceConnectionsMax,
      settings: plansByIndex,
      log,
    });
    const outbox = new Outbox(name);
    const metered = meter === undefined ? undefined : new MeteredInstruments(meter);
    metered?.startAtZero(name);
    const tally = new StepTally(name, metered ?? noInstruments);
    const instruments: Instruments = tally;
    const publishing = spans === undefined ? this.#broker : tracedPublishing(this.#broker, spans);
    const relay = new OutboxRelay({ database, outbox, broker: publishing, instruments, onTrouble, log });
    this.#parts = { database, outbox, relay, broker: this.#broker, instruments, spans, retention, log };
    this.#duties = dutiesOf(this.#parts);
    if (meter !== undefined) {
      const { queue } = this.#duties;
      this.#unobserve = observeService(meter, {
        name,
        database,
        broker: this.#broker,
        queue,
        isReady: () => this.#ready,
      });
    }
    this.#app.get('/readyz', (_request, reply) => this.#answerReady(reply));
    this.#duties.routes(this.#app);
    const { report } = this.#duties;
    addBoardRoutes(this.#app, { name, database, broker: this.#broker, tally, report });
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
    const { database, outbox, relay, instruments, log } = this.#parts;
    const options = { log, signal: this.#stopping.signal };
    const { queue, loops } = this.#duties;
    const handle = (deliveries: Delivery[]) =>
      this.#duties.handle(deliveries).catch((error: unknown) => {
        instruments.retried(queue);
        throw error;
      });
    const receive = () => this.#broker.receive(queue, handle, { measured: instruments.on });
    if (!(await waitUntilAvailable('database', () => outbox.check(database), options))) return;
    if (!(await waitUntilAvailable('broker', () => this.#broker.start(), options))) return;
    if (!(await waitUntilAvailable('queue', receive, options))) return;
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
    this.#unobserve();
    const { database, relay } = this.#parts;
    const loops = this.#duties.loops.map((loop) => loop.stop());
    await this.#app.close();
    await this.#started;
    await this.#broker.stop();
    await Promise.all([relay.stop(), ...loops]);
    await database.close();
  }
}
