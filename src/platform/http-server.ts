import { randomUUID } from 'node:crypto';
import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import fastify, {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify';
import { CodedError } from './errors.ts';
import { waitSecondsMax } from './http-headers.ts';
import { parseJsonBody } from './http-json.ts';
import { limitPipelining } from './http-pipelining.ts';
import {
  bodyBytesMax,
  partBytesMax,
  refusalOf,
  refuseUnreadable,
  sendProblem,
  toCodedError,
} from './http-problems.ts';
import { compileSchema } from './http-validation.ts';
import type { Logger } from './logging.ts';

const requestMsMax = 10_000;
/** Within it the headers must be there, and with TLS the handshake must be done before. */
const headersMsMax = 5_000;
/** How often those that take longer are looked for. */
const lateCheckMs = 1_000;
/**
 * A connection on which nothing moves for so long is closed, also when it is the client that does not read. Longer than a
 * client may ask to wait; an event stream shows life more often.
 */
const stillMsMax = (waitSecondsMax + 30) * 1_000;
/** Connections the system holds until they are taken; beyond it a client tries again after a second. */
const backlog = 4_096;
/** How often connections that became idle are looked for while closing. */
const idleSweepMs = 50;

const hostMissing = 'A request in HTTP/1.1 needs a Host header (RFC 9112). Send one.';

/** What a server shows to be who it is (PEM). */
export interface TlsFiles {
  /** With its chain. */
  cert: string;
  key: string;
}

/**
 * The base of every HTTP server of ours: JSON only, limits on everything, problem documents for every
 * refusal, request ids, `/livez`.
 * @param options.bodies what a route gets: the parsed value, or for one that only passes it on the bytes
 * @param options.tls certificate with its chain, and private key (PEM)
 * @param options.beforeRefusal called for a request whose path cannot be read or looked up, which passes no hook: it may
 *   set headers, and throw a CodedError that is the answer then
 */
export function createHttpServer(options: {
  log: Logger;
  bodies: 'json' | 'bytes';
  tls?: TlsFiles | undefined;
  beforeRefusal?: ((request: FastifyRequest, reply: FastifyReply) => void) | undefined;
}): FastifyInstance {
  const app = fastify({
    serverFactory: (listener) => createServerFor(listener, options.tls),
    logger: false,
    bodyLimit: bodyBytesMax,
    forceCloseConnections: 'idle',
    genReqId: (request) => requestIdIn(request.headers['x-request-id']) ?? randomUUID(),
    routerOptions: { maxParamLength: partBytesMax, ignoreTrailingSlash: false },
    clientErrorHandler: refuseUnreadable,
    frameworkErrors: (error, request, reply) => {
      const refuse = (reason: FastifyError | Error) =>
        sendProblem(request, reply, toCodedError(reason, false));
      try {
        options.beforeRefusal?.(request, reply);
        refuse(error);
      } catch (reason) {
        refuse(reason as Error);
      }
    },
    // What arrives on an open connection while this server drains is served, and the connection closed.
    return503OnClosing: false,
  });
  app.setValidatorCompiler(({ schema }) => compileSchema(schema as object));
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => {
    try {
      done(null, options.bodies === 'bytes' ? body : parseJsonBody(body as Buffer));
    } catch (error) {
      done(error as Error);
    }
  });
  app.setErrorHandler((error: FastifyError | Error, request, reply) => {
    const isWrite = request.method !== 'GET' && request.method !== 'HEAD';
    const { traceparent } = request.headers;
    const coded = refusalOf(error, { isWrite, requestId: request.id, traceparent, log: options.log });
    return sendProblem(request, reply, coded);
  });
  app.setNotFoundHandler((request, reply) => {
    const detail = `There is no ${request.method} ${request.url.slice(0, 200)}. See /docs for the routes.`;
    return sendProblem(request, reply, new CodedError('route-not-found', detail));
  });
  app.addHook('preParsing', ({ raw }, _reply, _body, done) => {
    const isMissing = raw.headers.host === undefined && raw.httpVersion === '1.1';
    done(isMissing ? new CodedError('malformed-request', hostMissing) : null);
  });
  closeConnectionsAtTheEnd(app);
  app.get('/livez', () => ({ alive: true }));
  return app;
}

function createServerFor(listener: RequestListener, tls: TlsFiles | undefined): Server {
  const limits = {
    headersTimeout: headersMsMax,
    requestTimeout: requestMsMax,
    connectionsCheckingInterval: lateCheckMs,
    keepAliveTimeout: 65_000,
    // Refused behind every check and every limit, which Node's own refusal passes by.
    requireHostHeader: false,
  };
  const options = { ...limits, ...limitPipelining() };
  const server =
    tls === undefined
      ? createServer(options, listener)
      : createTlsServer({ ...options, ...tls, handshakeTimeout: headersMsMax }, listener);
  // Node would refuse these by itself, past every check of ours. To ignore what is expected is allowed (RFC 9110, 10.1.1).
  server.on('checkExpectation', listener);
  server.setTimeout(stillMsMax);
  return server;
}

/** Begins to listen; answers the URL. Throws `conflict` when the port is taken. */
export async function listen(app: FastifyInstance, host: string, port: number): Promise<string> {
  try {
    return await app.listen({ host, port, backlog });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code !== 'EADDRINUSE' && code !== 'EACCES' && code !== 'EADDRNOTAVAIL') throw cause;
    const reason = code === 'EADDRINUSE' ? 'is taken by another program' : `cannot be used (${code})`;
    throw new CodedError('conflict', `Port ${port} of ${host} ${reason}. Set another one.`, { cause });
  }
}

/** Aborts when an answer is over: sent, or its client gone. */
export function untilClosed(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  response.once('close', () => controller.abort());
  return controller.signal;
}

/**
 * While a server closes, a client's open connection must not keep it waiting: the last answer on each says
 * that it is the last, and what is idle after it, or was never used, is closed.
 */
function closeConnectionsAtTheEnd(app: FastifyInstance): void {
  let closing = false;
  const sockets = new Set<Socket>();
  app.server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  const closeIdle = () => {
    app.server.closeIdleConnections();
    // To Node a connection is not idle before its first request.
    for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
  };
  app.addHook('preClose', (done) => {
    closing = true;
    const sweep = setInterval(closeIdle, idleSweepMs);
    app.server.once('close', () => clearInterval(sweep));
    done();
  });
  app.addHook('onSend', (_request, reply, payload, done) => {
    if (closing) reply.header('connection', 'close');
    done(null, payload);
  });
}

function requestIdIn(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' && /^[A-Za-z0-9_-]{1,64}$/.test(header) ? header : undefined;
}
