import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import { type TLSSocket, Server as TlsServer } from 'node:tls';
import { CodedError } from '../platform/errors.ts';
import { refuseUnread } from '../platform/http-problems.ts';

/**
 * Connections at once. An idle one costs some 10 KB; and descriptors are left for the connections to the services,
 * also where a process may have no more than 8,192.
 */
export const connectionsMax = 4_096;

const tooMany =
  'There are more connections than the gateway holds. Nothing was stored; try again in a second.';

/**
 * Keeps the connections of a server below a bound without locking anybody out: when there is no room, the oldest one
 * that never sent a whole request gives way, with a 503 that says so, and if there is none, those that rest between
 * two requests. So half-open connections, however many, cannot keep a request from being read.
 */
export function guardConnections(server: Server, max = connectionsMax): void {
  // Those that send a request without its end are refused in seconds; until then there are so many of all kinds.
  server.maxConnections = 2 * max;
  const open = new Set<Socket>();
  /** Those that have sent no request yet, the oldest first. */
  const silent = new Set<Socket>();
  /** Of each connection with TLS the one it runs over, found by the client's address and port. */
  const beneath = new WeakMap<Socket, Socket>();
  const byOrigin = new Map<string, Socket>();

  server.on('connection', (socket: Socket) => {
    if (open.size >= max) giveWay();
    const origin = originOf(socket);
    open.add(socket);
    silent.add(socket);
    byOrigin.set(origin, socket);
    socket.once('close', () => {
      open.delete(socket);
      silent.delete(socket);
      if (byOrigin.get(origin) === socket) byOrigin.delete(origin);
    });
  });
  server.on('secureConnection', (socket: TLSSocket) => {
    const raw = byOrigin.get(originOf(socket));
    if (raw !== undefined) beneath.set(socket, raw);
  });
  server.on('request', ({ socket }: IncomingMessage) => {
    silent.delete(beneath.get(socket) ?? socket);
  });

  function giveWay(): void {
    const [oldest] = silent;
    if (oldest === undefined) {
      server.closeIdleConnections();
      return;
    }
    silent.delete(oldest);
    open.delete(oldest);
    // Below TLS nothing can be said.
    if (server instanceof TlsServer) oldest.destroy();
    else refuseUnread(oldest, new CodedError('overloaded', tooMany));
  }
}

function originOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
