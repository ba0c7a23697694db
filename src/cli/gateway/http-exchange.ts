import { request as httpRequest, type IncomingMessage } from 'node:http';
import { CodedError } from '../../platform/errors.ts';
import type { GatewayAccess } from '../../system/gateway-access.ts';
import { trustOnly } from '../../system/pinned-certificate.ts';

/** One request to the gateway. */
export interface GatewayRequest {
  method: 'GET' | 'POST';
  /** Path and query, from the root of the gateway. Sent as it is: a user may be called "..". */
  path: string;
  /** Sent as JSON. */
  body?: object;
  idempotencyKey?: string;
  /** Media type of the answer; JSON when absent. */
  accept?: string;
}

/**
 * Sends a request and resolves with the head of the answer; the body is the caller's to read. Rejects with
 * the error of the connection, or when `signal` aborts. node:http and not fetch, which rewrites paths with
 * dots and costs more start-up.
 */
export async function exchange(
  access: GatewayAccess,
  request: GatewayRequest,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const { url, certificate } = access;
  const { protocol, hostname, port, pathname } = new URL(url);
  const send = protocol === 'https:' ? (await import('node:https')).request : httpRequest;
  const body = request.body === undefined ? undefined : JSON.stringify(request.body);
  return new Promise((resolve, reject) => {
    const outgoing = send({
      protocol,
      hostname: hostname.replace(/^\[|\]$/g, ''),
      port,
      path: pathname.replace(/\/$/, '') + request.path,
      method: request.method,
      headers: headersOf(request, body, access),
      agent: false,
      ...(certificate === undefined ? {} : trustOnly(certificate)),
      signal,
    });
    outgoing.on('response', resolve);
    // A 101 is the answer of something that is no gateway.
    outgoing.on('upgrade', (_response, socket) => {
      socket.destroy();
      reject(new CodedError('unavailable', 'The server wants to change the protocol.'));
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

function headersOf(
  request: GatewayRequest,
  body: string | undefined,
  { token, traceparent }: GatewayAccess,
): Record<string, string | number> {
  return {
    accept: request.accept ?? 'application/json',
    ...(body === undefined
      ? {}
      : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(traceparent === undefined ? {} : { traceparent }),
    ...(request.idempotencyKey === undefined ? {} : { 'idempotency-key': request.idempotencyKey }),
  };
}

/** Longest answer that is read: a page of 500 orders with long descriptions has room many times over. */
const answerBytesMax = 32 * 1024 * 1024;

/** Reads the body of an answer as text. Rejects when the connection breaks before its end. */
export async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > answerBytesMax) throw new Error(`the answer has over ${answerBytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
