import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request as the fake gateway got it. */
export interface ReceivedRequest {
  method: string;
  path: string;
  key: string | undefined;
  body: unknown;
}

/** Answers one request; the requests so far, this one last, are at hand. */
export type Answer = (
  response: ServerResponse,
  request: ReceivedRequest,
  requests: readonly ReceivedRequest[],
) => void;

/** A gateway that answers as a test says. */
export interface FakeGateway {
  url: string;
  requests: ReceivedRequest[];
  stop(): Promise<void>;
}

/** Starts one; each request gets the next answer, the last one again and again. */
export function startFakeGateway(...answers: Answer[]): Promise<FakeGateway> {
  return startFakeGatewayAt(0, answers);
}

/** Starts one on a port; 0 is any free one. */
export async function startFakeGatewayAt(port: number, answers: readonly Answer[]): Promise<FakeGateway> {
  const requests: ReceivedRequest[] = [];
  const server = createServer(async (incoming, response) => {
    const request = await read(incoming);
    const answer = answers[Math.min(requests.length, answers.length - 1)];
    requests.push(request);
    answer?.(response, request, requests);
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function read(incoming: IncomingMessage): Promise<ReceivedRequest> {
  let text = '';
  for await (const chunk of incoming.setEncoding('utf8')) text += chunk;
  return {
    method: incoming.method ?? '',
    path: incoming.url ?? '',
    key: incoming.headers['idempotency-key'] as string | undefined,
    body: text === '' ? undefined : JSON.parse(text),
  };
}

/** Answers with a JSON document. */
export function json(status: number, document: object): Answer {
  return (response) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(document));
  };
}

/** Answers with a problem document. */
export function problem(status: number, code: string, detail = `This is ${code}.`): Answer {
  return (response) => {
    const document = {
      type: `urn:tillbox:problem:${code}`,
      title: code,
      status,
      code,
      detail,
      request_id: 'r1',
    };
    response
      .writeHead(status, {
        'content-type': 'application/problem+json',
        ...(status === 503 && { 'retry-after': '0' }),
      })
      .end(JSON.stringify(document));
  };
}

/** Cuts the connection after the request was read. */
export const cut: Answer = (response) => void response.socket?.destroy();

/** Answers with an order's event stream, then ends it. */
export function events(...orders: object[]): Answer {
  return (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const order of orders) response.write(`event: status\ndata: ${JSON.stringify(order)}\n\n`);
    response.end();
  };
}

/** An order as the gateway answers it. */
export function orderView(fields: object = {}) {
  return {
    id: '0199f0a4-5f6b-7c3e-9d2a-3b1f0c8e7d65',
    user_id: 'alice',
    amount: '10.00',
    description: '',
    status: 'NEW',
    reason: null,
    created_at: '2026-01-31T12:00:00.000Z',
    settled_at: null,
    ...fields,
  };
}

export const finished = { status: 'FINISHED', settled_at: '2026-01-31T12:00:00.020Z' };
export const canceled = { ...finished, status: 'CANCELED', reason: 'INSUFFICIENT_FUNDS' };
