import { connect, type Socket } from 'node:net';
import type { GatewayAccess } from '../../system/gateway-access.ts';
import { trustOnly } from '../../system/pinned-certificate.ts';
import { ProtocolError, type Response, readResponse } from './response.ts';

/** Longest wait for a connection. */
const connectMsMax = 2_000;

/** Where the requests go. */
export interface Target {
  readonly protocol: string;
  readonly host: string;
  readonly port: number;
  /** What stands before every path; mostly nothing. */
  readonly prefix: string;
  /** For the `host` header. */
  readonly authority: string;
  /** Header lines that say who asks, each with its end; empty for nobody in particular. */
  readonly authorization: string;
  /** PEM: the only certificate to accept. */
  readonly certificate: string | undefined;
}

/** Reads how a gateway is reached. */
export function targetOf({ url, token, certificate }: GatewayAccess): Target {
  const { protocol, hostname, port, pathname, host } = new URL(url);
  return {
    protocol,
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port),
    prefix: pathname.replace(/\/$/, ''),
    authority: host,
    authorization: token === undefined ? '' : `authorization: Bearer ${token}\r\n`,
    certificate,
  };
}

/** How a request ended that got no answer. */
export interface NoAnswer {
  /** Whether the server may have got it. */
  sent: boolean;
  /** Such as ECONNREFUSED, ECONNRESET, `timeout`. */
  reason: string;
}

/** What happens on a connection: exactly one of these for each request. */
export interface ConnectionEvents {
  answered(connection: Connection, response: Response): void;
  broke(connection: Connection, why: NoAnswer): void;
}

/**
 * A keep-alive connection that carries one request at a time, and is opened again when the next request finds
 * it closed. Callbacks rather than promises: a promise for each request would cost more than the request.
 */
export class Connection {
  readonly #target: Target;
  readonly #events: ConnectionEvents;
  #socket: Socket | undefined;
  #connected = false;
  /** What has arrived of the answer. */
  #received: Buffer | undefined;
  /** When the request under way left; undefined when none is. */
  #sentAt: number | undefined;

  constructor(target: Target, events: ConnectionEvents) {
    this.#target = target;
    this.#events = events;
  }

  /** Sends a request. @param text the whole of it, in ASCII */
  send(text: string): void {
    this.#sentAt = performance.now();
    this.#received = undefined;
    if (this.#socket === undefined || !this.#socket.writable) void this.#open(text);
    else this.#socket.write(text, 'latin1');
  }

  /** Ends the request under way when it takes longer than this. */
  expire(msMax: number): void {
    if (this.#sentAt === undefined) return;
    const ms = performance.now() - this.#sentAt;
    if (!this.#connected ? ms > connectMsMax : ms > msMax)
      this.#fail(this.#connected ? 'timeout' : 'ETIMEDOUT');
  }

  /** Closes it; the request under way, if there is one, ends without an answer. */
  close(): void {
    this.#fail('closed');
  }

  async #open(text: string): Promise<void> {
    const { protocol, host, port, certificate } = this.#target;
    const socket =
      protocol === 'https:' ? await openSecure(host, port, certificate) : connect({ host, port });
    if (this.#sentAt === undefined) {
      socket.destroy();
      return;
    }
    this.#socket?.destroy();
    this.#socket = socket;
    this.#connected = false;
    socket.setNoDelay(true);
    socket.once(protocol === 'https:' ? 'secureConnect' : 'connect', () => {
      if (socket === this.#socket) this.#connected = true;
    });
    socket.on('data', (bytes) => socket === this.#socket && this.#receive(bytes, false));
    socket.once('end', () => socket === this.#socket && this.#receive(undefined, true));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (socket === this.#socket) this.#fail(error.code ?? error.message);
    });
    socket.once('close', () => socket === this.#socket && this.#fail('ECONNRESET'));
    socket.write(text, 'latin1');
  }

  #receive(bytes: Buffer | undefined, ended: boolean): void {
    // An idle connection that the server closes, or speaks on unasked, is no use any more.
    if (this.#sentAt === undefined) {
      this.#drop();
      return;
    }
    const received = this.#received;
    const all =
      received === undefined ? bytes : bytes === undefined ? received : Buffer.concat([received, bytes]);
    let response: Response | undefined;
    try {
      response = all === undefined ? undefined : readResponse(all, ended);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#fail(error.message);
      return;
    }
    if (response === undefined) {
      this.#received = all;
      if (ended) this.#fail('ECONNRESET');
      return;
    }
    this.#sentAt = undefined;
    this.#received = undefined;
    if (!response.reusable || ended) this.#drop();
    this.#events.answered(this, response);
  }

  #fail(reason: string): void {
    const underWay = this.#sentAt !== undefined;
    // Before it is connected nothing has left this process.
    const sent = this.#connected;
    this.#sentAt = undefined;
    this.#drop();
    if (underWay) this.#events.broke(this, { sent, reason });
  }

  #drop(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    this.#connected = false;
    this.#received = undefined;
    socket?.destroy();
  }
}

async function openSecure(host: string, port: number, certificate: string | undefined): Promise<Socket> {
  const tls = await import('node:tls');
  return tls.connect({
    host,
    port,
    servername: /^[\d.:]+$/.test(host) ? '' : host,
    ...(certificate === undefined ? {} : trustOnly(certificate)),
  });
}
