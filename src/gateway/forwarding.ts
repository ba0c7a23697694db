import type { FastifyReply, FastifyRequest } from 'fastify';
import { preferredWaitSeconds } from '../platform/http-headers.ts';
import { untilClosed } from '../platform/http-server.ts';
import { principalHeaderName } from '../platform/identity/gateway-credential.ts';
import { principalHeader } from '../platform/identity/principal.ts';
import type { Forward, WholeAnswer } from './instance.ts';
import type { OrderBatches } from './order-batches.ts';
import { refuseAnothers } from './ownership.ts';
import type { Route } from './routes.ts';
import { Turns } from './turns.ts';
import { UnreadAnswers } from './unread-answers.ts';
import type { Upstreams } from './upstreams.ts';

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

/** An event stream ends after so long; its watcher asks again, and says who it is. */
const streamMsMax = 300_000;

/** Passes requests on to the services, and their answers back. */
export class Forwarding {
  readonly #upstreams: Record<'orders' | 'payments', Upstreams>;
  readonly #orders: OrderBatches;
  /** Of each service its own: one that hangs holds nobody back from the other. */
  readonly #turns = { orders: new Turns(), payments: new Turns() };
  readonly #unread = new UnreadAnswers();
  /** Event streams under way. */
  readonly #streams = new Set<FastifyReply>();

  readonly #streamMs: number;

  /**
   * @param options.orders takes the orders that may travel together
   * @param options.streamMs how long an event stream lasts, in milliseconds
   */
  constructor(options: {
    upstreams: Record<'orders' | 'payments', Upstreams>;
    orders: OrderBatches;
    streamMs?: number | undefined;
  }) {
    this.#upstreams = options.upstreams;
    this.#orders = options.orders;
    this.#streamMs = options.streamMs ?? streamMsMax;
  }

  /** The handler of a route. */
  handlerOf(route: Route) {
    const { method, service, batched, streamed } = route;
    const upstreams = this.#upstreams[service];
    return async (request: FastifyRequest, reply: FastifyReply) => {
      // No other route waits, whatever its client prefers.
      const waitSeconds = batched && preferredWaitSeconds(request.headers['prefer']);
      const body = request.body as Buffer | undefined;
      const { principal, countedAs } = request.visit;
      refuseAnothers(principal, route, { params: request.params, query: request.query, body });
      if (batched && body !== undefined && waitSeconds === undefined) {
        const headers = pick(request, batchedHeaders);
        const answer = await this.#orders.submit({ headers, body });
        return reply.code(answer.status).headers(answer.headers).serializer(asItIs).send(answer.body);
      }
      const headers = pick(request, requestHeaders);
      const forward: Forward = {
        method,
        path: request.raw.url ?? '/',
        headers,
        body,
        repeatable: method === 'GET' || 'idempotency-key' in headers,
        extraMs: (waitSeconds ?? 0) * 1_000,
      };
      if (streamed) {
        const opened = await upstreams.open({ ...forward, signal: this.#untilStreamed(reply) });
        return passHead(opened, reply).send(opened.body);
      }
      const ask = () => upstreams.request(forward);
      // Who waits holds nothing that others need.
      const inTurn = countedAs !== undefined && forward.extraMs === 0;
      const answer = inTurn
        ? await this.#turns[service].take(countedAs, ask, () => untilClosed(reply.raw))
        : await ask();
      this.#unread.hold(reply.raw, answer.body.length);
      return passHead(answer, reply).send(answer.body);
    };
  }

  /** Ends event streams: who watches an order asks again. */
  endStreams(): void {
    for (const { raw } of this.#streams) raw.end();
  }

  /** Aborts when an event stream is over: its client gone, or its time. */
  #untilStreamed(reply: FastifyReply): AbortSignal {
    const controller = new AbortController();
    this.#streams.add(reply);
    const timer = setTimeout(() => reply.raw.end(), this.#streamMs).unref();
    reply.raw.once('close', () => {
      clearTimeout(timer);
      this.#streams.delete(reply);
      controller.abort();
    });
    return controller.signal;
  }
}

/** Passes on of an answer what means something to a client, but for the body. */
function passHead(
  { statusCode, headers }: Pick<WholeAnswer, 'statusCode' | 'headers'>,
  reply: FastifyReply,
): FastifyReply {
  for (const name of answerHeaders) {
    const value = headers[name];
    if (value !== undefined) reply.header(name, value);
  }
  return reply.code(statusCode);
}

/** Without a serializer Fastify would give the media type of a text a charset. */
function asItIs(text: string): string {
  return text;
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
