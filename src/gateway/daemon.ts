import type { Meter } from '@opentelemetry/api';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { DoorConfig } from '../platform/door-config.ts';
import { CodedError } from '../platform/errors.ts';
import { preferredWaitSeconds } from '../platform/http-headers.ts';
import { sendProblem } from '../platform/http-problems.ts';
import { createHttpServer, listen, type TlsFiles } from '../platform/http-server.ts';
import { principalHeaderName } from '../platform/identity/gateway-credential.ts';
import { principalHeader } from '../platform/identity/principal.ts';
import type { SecretSource } from '../platform/identity/tokens.ts';
import type { Daemon } from '../platform/lifecycle.ts';
import type { Logger } from '../platform/logging.ts';
import { measureRequests } from '../platform/telemetry/http-metrics.ts';
import { traceRequests } from '../platform/telemetry/http-spans.ts';
import type { Spans } from '../platform/telemetry/spans.ts';
import { Board } from './board/board.ts';
import { addBoardRoutes } from './board/board-routes.ts';
import { boardPage } from './board/page.ts';
import { guardConnections } from './connections.ts';
import { CrossOrigin } from './cross-origin.ts';
import { docsPage } from './docs-page.ts';
import { Door } from './door.ts';
import { guardEntrance } from './entrance.ts';
import { InFlight } from './in-flight.ts';
import { openApiDocument } from './openapi.ts';
import { OrderBatches } from './order-batches.ts';
import { refuseAnothers } from './ownership.ts';
import { type Route, routes } from './routes.ts';
import { Upstreams } from './upstreams.ts';

/** Where the gateway listens and where it leads. */
export interface GatewaySettings {
  host: string;
  port: number;
  ordersUrls: readonly string[];
  paymentsUrls: readonly string[];
  /** Whom it lets in, and how. */
  door: DoorConfig;
  localSecret?: SecretSource | undefined;
  tls?: TlsFiles | undefined;
  /** What it is measured with; without it nothing is. */
  meter?: Meter | undefined;
  /** What its traces are recorded with; without it none are. */
  spans?: Spans | undefined;
  log: Logger;
}

/** The instances of each service, as they are. */
type Instances = Record<'orders' | 'payments', { url: string; pid: number | null; ready: boolean }[]>;

/** Headers that mean something to a service; no other crosses. */
const requestHeaders = [
  'content-type',
  'idempotency-key',
  'prefer',
  'traceparent',
  'tracestate',
  'last-event-id',
] as const;
/** Those of them that an order in a batch has. */
const batchedHeaders = ['idempotency-key', 'traceparent'] as const;
/** Headers of an answer that mean something to a client. */
const answerHeaders = [
  'content-type',
  'content-length',
  'location',
  'idempotent-replayed',
  'preference-applied',
  'retry-after',
  'cache-control',
] as const;

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
  readonly #orders: OrderBatches;
  readonly #door: Door;
  readonly #board: Board;
  /** What is asked of the services just now, for all who want to know it. */
  #asking: Promise<Instances> | undefined;
  /** Event streams under way. They may last for ever, so `stop` ends them. */
  readonly #streams = new Set<FastifyReply>();

  constructor(settings: GatewaySettings) {
    this.#settings = settings;
    const { host, door, localSecret, tls, meter, spans, log } = settings;
    this.#app = createHttpServer({ log, bodies: 'bytes', tls });
    if (meter !== undefined) measureRequests(this.#app, meter);
    guardConnections(this.#app.server);
    this.#upstreams = {
      orders: new Upstreams('orders', settings.ordersUrls, door.gatewaySecret),
      payments: new Upstreams('payments', settings.paymentsUrls, door.gatewaySecret),
    };
    this.#door = new Door({ config: door, host, localSecret });
    this.#orders = new OrderBatches(this.#upstreams.orders, spans);
    guardEntrance(this.#app, {
      door: this.#door,
      crossOrigin: new CrossOrigin(door.corsOrigins),
      inFlight: new InFlight(),
      secure: tls !== undefined || door.trustedProxies.length > 0,
    });
    // Behind the door: what it turns away fills no collector.
    if (spans !== undefined) traceRequests(this.#app, spans, true);
    for (const route of routes) this.#addRoute(route);
    this.#board = new Board({ upstreams: this.#upstreams });
    addBoardRoutes(this.#app, this.#board, boardPage({ identityRequired: this.#door.tokenRequired }));
    this.#refuseOtherMethods();
    this.#app.get('/readyz', (request, reply) => this.#answerReady(request, reply));
    const document = openApiDocument();
    this.#app.get('/openapi.json', () => document);
    this.#app.get('/docs', (_request, reply) =>
      reply.type('text/html; charset=utf-8').send(docsPage(document)),
    );
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
    const closed = this.#app.close();
    for (const { raw } of this.#streams) raw.end();
    await this.#board.stop();
    await closed;
    await Promise.all(Object.values(this.#upstreams).map((upstreams) => upstreams.close()));
  }

  #addRoute(route: Route): void {
    const { method, path, service, batched, streamed } = route;
    const upstreams = this.#upstreams[service];
    this.#app.route({
      method,
      url: fastifyPath(path),
      handler: async (request, reply) => {
        const waitSeconds = preferredWaitSeconds(request.headers['prefer']);
        const body = request.body as Buffer | undefined;
        const { principal } = request.visit;
        refuseAnothers(principal, route, { params: request.params, query: request.query, body });
        if (batched && body !== undefined && waitSeconds === undefined) {
          const headers = pick(request, batchedHeaders);
          const answer = await this.#orders.submit({ headers, body });
          return reply.code(answer.status).headers(answer.headers).serializer(asItIs).send(answer.body);
        }
        const headers = pick(request, requestHeaders);
        const answer = await upstreams.request({
          method,
          path: request.raw.url ?? '/',
          headers,
          body,
          repeatable: method === 'GET' || 'idempotency-key' in headers,
          extraMs: (waitSeconds ?? 0) * 1_000,
          ...(streamed ? { signal: this.#untilClosed(reply) } : {}),
        });
        for (const name of answerHeaders) {
          const value = answer.headers[name];
          if (value !== undefined) reply.header(name, value);
        }
        return reply.code(answer.statusCode).send(answer.body);
      },
    });
  }

  #untilClosed(reply: FastifyReply): AbortSignal {
    const controller = new AbortController();
    this.#streams.add(reply);
    reply.raw.once('close', () => {
      this.#streams.delete(reply);
      controller.abort();
    });
    return controller.signal;
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

  /** Ready when each service has an instance that is. Which ones there are is told to who may see everything. */
  async #answerReady(request: FastifyRequest, reply: FastifyReply) {
    this.#asking ??= this.#askInstances();
    const [instances, principal] = await Promise.all([this.#asking, this.#door.whoAsks(request.raw)]);
    const ready = Object.values(instances).every((some) => some.some((instance) => instance.ready));
    reply.code(ready ? 200 : 503);
    if (!ready) reply.header('retry-after', 1);
    const about = { ready, service: 'gateway' };
    return principal?.scope === 'operator' ? { ...about, pid: process.pid, ...instances } : about;
  }

  /** However many want to know: the services are asked by one of them at a time. */
  async #askInstances(): Promise<Instances> {
    try {
      const [orders, payments] = await Promise.all([
        this.#instancesOf('orders'),
        this.#instancesOf('payments'),
      ]);
      return { orders, payments };
    } finally {
      this.#asking = undefined;
    }
  }

  async #instancesOf(service: 'orders' | 'payments') {
    const answers = await this.#upstreams[service].askAll('/readyz');
    return answers.map(({ url, answer }) => {
      const { ready, pid } = (answer ?? {}) as { ready?: unknown; pid?: unknown };
      return { url, pid: typeof pid === 'number' ? pid : null, ready: ready === true };
    });
  }
}

/** Without a serializer Fastify would give the media type of a text a charset. */
function asItIs(text: string): string {
  return text;
}

function fastifyPath(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, ':$1');
}

/** What crosses of a request: these headers, the id it is known by, and who asks. */
function pick({ headers, id, visit }: FastifyRequest, names: readonly string[]): Record<string, string> {
  const picked: Record<string, string> = { 'x-request-id': id };
  const principal = principalHeader(visit.principal);
  if (principal !== undefined) picked[principalHeaderName] = principal;
  for (const name of names) {
    const value = headers[name];
    if (value !== undefined) picked[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return picked;
}
