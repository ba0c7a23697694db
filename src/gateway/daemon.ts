import type { Meter } from '@opentelemetry/api';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { DoorConfig } from '../platform/door-config.ts';
import { CodedError } from '../platform/errors.ts';
import { sendProblem } from '../platform/http-problems.ts';
import { createHttpServer, listen, type TlsFiles } from '../platform/http-server.ts';
import type { SecretSource } from '../platform/identity/token-sources.ts';
import type { Daemon } from '../platform/lifecycle.ts';
import type { Logger } from '../platform/logging.ts';
import { measureRequests } from '../platform/telemetry/http-metrics.ts';
import { traceRequests } from '../platform/telemetry/http-spans.ts';
import { observeReadiness } from '../platform/telemetry/readiness-metric.ts';
import type { Spans } from '../platform/telemetry/spans.ts';
import { Board } from './board/board.ts';
import { addBoardRoutes } from './board/board-routes.ts';
import { boardPage } from './board/page.ts';
import { guardConnections } from './connections.ts';
import { CrossOrigin } from './cross-origin.ts';
import { docsPage } from './docs-page.ts';
import { Door } from './door.ts';
import { arrive, guardEntrance } from './entrance.ts';
import { Forwarding } from './forwarding.ts';
import { InFlight } from './in-flight.ts';
import { openApiDocument } from './openapi.ts';
import { OrderBatches } from './order-batches.ts';
import { Readiness } from './readiness.ts';
import { routes } from './routes.ts';
import { Upstreams } from './upstreams.ts';

/** Where the gateway listens and where it leads. */
export interface GatewaySettings {
  host: string;
  port: number;
  ordersUrls: readonly string[];
  paymentsUrls: readonly string[];
  /** What shows the services that this is their gateway. */
  credential?: string | undefined;
  /** Whom it lets in, and how. */
  door: DoorConfig;
  localSecret?: SecretSource | undefined;
  tls?: TlsFiles | undefined;
  /** How long an event stream lasts, in milliseconds; five minutes if left out. */
  streamMs?: number | undefined;
  /** What it is measured with; without it nothing is. */
  meter?: Meter | undefined;
  /** What its traces are recorded with; without it none are. */
  spans?: Spans | undefined;
  log: Logger;
}

/** What the gateway answers itself. */
const ownRoutes = ['/', '/board/events', '/livez', '/readyz', '/openapi.json', '/docs'].map((path) => ({
  method: 'GET',
  path,
}));
/** HEAD is not among them: it comes with GET. */
const commonMethods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'];

/** The gateway: passes requests on to the services, and knows nothing about orders or money. */
export class Gateway implements Daemon {
  readonly #settings: GatewaySettings;
  readonly #app: FastifyInstance;
  readonly #upstreams: Record<'orders' | 'payments', Upstreams>;
  readonly #forwarding: Forwarding;
  readonly #board: Board;
  readonly #endReadiness: () => void;

  constructor(settings: GatewaySettings) {
    this.#settings = settings;
    const { host, credential, door, localSecret, tls, meter, spans, log } = settings;
    const ownDoor = new Door({ config: door, host, localSecret });
    const secure = tls !== undefined || door.trustedProxies.length > 0;
    const beforeRefusal = (request: FastifyRequest, reply: FastifyReply) => {
      arrive(request, reply, { door: ownDoor, secure });
    };
    this.#app = createHttpServer({ log, bodies: 'bytes', tls, beforeRefusal });
    if (meter !== undefined) measureRequests(this.#app, meter);
    guardConnections(this.#app.server);
    this.#upstreams = {
      orders: new Upstreams('orders', settings.ordersUrls, credential),
      payments: new Upstreams('payments', settings.paymentsUrls, credential),
    };
    const upstreams = this.#upstreams;
    const orders = new OrderBatches(upstreams.orders, spans);
    this.#forwarding = new Forwarding({ upstreams, orders, streamMs: settings.streamMs });
    guardEntrance(this.#app, {
      door: ownDoor,
      crossOrigin: new CrossOrigin(door.corsOrigins),
      inFlight: new InFlight(),
      secure,
    });
    // Behind the door: what it turns away fills no collector.
    if (spans !== undefined) traceRequests(this.#app, spans, true);
    for (const route of routes) {
      const { method, path } = route;
      this.#app.route({ method, url: fastifyPath(path), handler: this.#forwarding.handlerOf(route) });
    }
    this.#board = new Board({ upstreams });
    addBoardRoutes(this.#app, this.#board, boardPage({ identityRequired: ownDoor.tokenRequired }));
    this.#refuseOtherMethods();
    const readiness = new Readiness({ upstreams, door: ownDoor });
    this.#app.get('/readyz', (request, reply) => readiness.answer(request, reply));
    this.#endReadiness = meter === undefined ? () => {} : observeReadiness(meter, () => readiness.isReady());
    // Made once: anybody may ask for them.
    const document = openApiDocument();
    const pages = {
      '/openapi.json': { type: 'application/json; charset=utf-8', text: JSON.stringify(document) },
      '/docs': { type: 'text/html; charset=utf-8', text: docsPage(document) },
    };
    for (const [path, { type, text }] of Object.entries(pages)) {
      this.#app.get(path, (_request, reply) => reply.type(type).send(text));
    }
  }

  /** Listens; answers the URL. */
  async start(): Promise<string> {
    const { host, port, log } = this.#settings;
    const url = await listen(this.#app, host, port);
    log.info({ url }, 'listening');
    return url;
  }

  /** Lets requests end, and ends event streams: who watches an order asks again. May be called twice. */
  async stop(): Promise<void> {
    this.#endReadiness();
    const closed = this.#app.close();
    this.#forwarding.endStreams();
    await this.#board.stop();
    await closed;
    await Promise.all(Object.values(this.#upstreams).map((upstreams) => upstreams.close()));
  }

  /** A path that exists for another method says so, with the methods there are, whatever the body. */
  #refuseOtherMethods(): void {
    const byPath = Map.groupBy([...routes, ...ownRoutes], ({ path }) => path);
    for (const [path, same] of byPath) {
      const allowed = same.flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method]));
      const refuse = (request: FastifyRequest, reply: FastifyReply) => {
        const detail = `${path} takes ${allowed.join(' and ')}, not ${request.method}.`;
        reply.header('allow', allowed.join(', '));
        return sendProblem(request, reply, new CodedError('method-not-allowed', detail));
      };
      this.#app.route({
        method: commonMethods.filter((method) => !allowed.includes(method)),
        url: fastifyPath(path),
        onRequest: async (request, reply) => refuse(request, reply),
        handler: refuse,
      });
    }
  }
}

function fastifyPath(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, ':$1');
}
