import { randomUUID } from 'node:crypto';
import {
  createServer,
  request as forward,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream';
import type { Door } from '../../gateway/door.ts';
import { CodedError } from '../../platform/errors.ts';
import { hostInUrl } from '../../platform/hosts.ts';
import { limitPipelining } from '../../platform/http-pipelining.ts';
import { problemAnswer, toCodedError } from '../../platform/http-problems.ts';
import type { TlsFiles } from '../../platform/http-server.ts';
import { scopeMissing } from '../../platform/identity/refusals.ts';
import { dashboardUser } from './dashboard-process.ts';

/** A browser takes a handful; so few people look at queues at once. */
const connectionsMax = 200;
/** A form of the dashboard is a job's data at most. */
const bodyBytesMax = 1_048_576;
const answerMsMax = 30_000;

/** What belongs to one connection, not to what it carries. */
const hopHeaders = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Where the front stands, and before what. */
export interface FrontSettings {
  host: string;
  port: number;
  door: Door;
  tls?: TlsFiles | undefined;
  /** Port and password of the dashboard behind, on this machine. */
  behind: { port: number; password: string };
}

/**
 * Stands before the dashboard, and passes on what an operator asks. Whoever is not known is asked for a name and a
 * password by the browser itself: the password is the token. Browsers send it along with whatever page makes them
 * ask; so what changes something must come from the dashboard's own pages.
 */
export class DashboardFront {
  readonly #settings: FrontSettings;
  readonly #server: Server;

  constructor(settings: FrontSettings) {
    this.#settings = settings;
    const options = { headersTimeout: 5_000, requestTimeout: 10_000, ...limitPipelining() };
    const answer: RequestListener = (request, response) => void this.#answer(request, response);
    const { tls } = settings;
    this.#server =
      tls === undefined ? createServer(options, answer) : createTlsServer({ ...options, ...tls }, answer);
    this.#server.maxConnections = connectionsMax;
  }

  /** Listens; answers the URL. @throws CodedError `conflict` when the port is taken */
  async start(): Promise<string> {
    const { host, port, tls } = this.#settings;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (cause: NodeJS.ErrnoException) => {
        const detail = `Port ${port} of ${host} cannot be used (${cause.code}). Choose another one with --port, or 0 for any free one.`;
        reject(new CodedError('conflict', detail, { cause }));
      });
      this.#server.listen({ host, port }, resolve);
    });
    const taken = (this.#server.address() as AddressInfo).port;
    return `${tls === undefined ? 'http' : 'https'}://${hostInUrl(host)}:${taken}`;
  }

  /** May be called twice. */
  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      await this.#admit(request);
      this.#pass(request, response);
    } catch (error) {
      refuse(response, toCodedError(error as Error, false));
    }
  }

  async #admit(request: IncomingMessage): Promise<void> {
    const { door } = this.#settings;
    const now = performance.now();
    const arrival = door.arrive(request, now);
    const { headers } = request;
    headers.authorization = bearerOf(headers.authorization);
    if (headers.authorization === undefined) delete headers.authorization;
    const { principal } = await door.admit(arrival, headers.authorization, now);
    if (principal.scope !== 'operator') throw scopeMissing('operator');
    if (request.method === 'GET' || request.method === 'HEAD') return;
    if (!isOwnPage(headers)) {
      throw new CodedError('forbidden', 'Changes come from the pages of this dashboard alone.');
    }
    const length = Number(headers['content-length'] ?? Number.NaN);
    if (!(length <= bodyBytesMax)) {
      throw new CodedError('body-too-large', `The body must say its length, at most ${bodyBytesMax} bytes.`);
    }
  }

  #pass(request: IncomingMessage, response: ServerResponse): void {
    const { port, password } = this.#settings.behind;
    const behind = forward({
      host: '127.0.0.1',
      port,
      method: request.method,
      path: request.url,
      headers: {
        ...passing(request.headers),
        authorization: `Basic ${Buffer.from(`${dashboardUser}:${password}`).toString('base64')}`,
      },
      timeout: answerMsMax,
    });
    behind.on('timeout', () => behind.destroy(new Error('no answer in time')));
    behind.on('error', (cause) => {
      const detail = 'The dashboard does not answer. Reload the page in a moment.';
      refuse(response, new CodedError('unavailable', detail, { cause }));
    });
    behind.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, { ...passing(answer.headers), ...pageHeaders });
      pipeline(answer, response, () => {});
    });
    response.once('close', () => behind.destroy());
    pipeline(request, behind, () => {});
  }
}

/** No other page shows this one in a frame, and it loads nothing from elsewhere (it would: fonts). */
const pageHeaders = {
  'x-content-type-options': 'nosniff',
  'content-security-policy': [
    "default-src 'self'",
    "script-src 'self' 'unsafe-inline'",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
    "base-uri 'self'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join('; '),
  'referrer-policy': 'same-origin',
};

/** What a browser asks for: a name, which may be any, and a password, which is the token. */
const challenge = 'Basic realm="tillbox: any name, and an operator\'s token as password", charset="UTF-8"';

function refuse(response: ServerResponse, error: CodedError): void {
  if (response.headersSent || response.destroyed) return void response.destroy();
  const { status, headers, body } = problemAnswer(error, randomUUID());
  const asked: Record<string, string> = status === 401 ? { 'www-authenticate': challenge } : {};
  response.writeHead(status, { ...headers, ...asked, 'cache-control': 'no-store', connection: 'close' });
  response.end(body);
}

/** The token, whichever way it came: as a bearer's, or as the password a browser asked for. */
function bearerOf(authorization: string | undefined): string | undefined {
  const [, encoded] = /^basic ([a-z0-9+/=]+)$/i.exec(authorization ?? '') ?? [];
  if (encoded === undefined) return authorization;
  const pair = Buffer.from(encoded, 'base64').toString('utf8');
  return `Bearer ${pair.slice(pair.indexOf(':') + 1)}`;
}

/** Whether a request comes from a page of this very origin, or from no page at all. */
function isOwnPage({ origin, host, 'sec-fetch-site': site }: IncomingHttpHeaders): boolean {
  if (origin !== undefined) return URL.canParse(origin) && new URL(origin).host === host;
  return site === undefined || site === 'same-origin' || site === 'none';
}

function passing(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const named = String(headers.connection ?? '')
    .toLowerCase()
    .split(/\s*,\s*/);
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !hopHeaders.has(name) && !named.includes(name)),
  );
}
