import type { IncomingMessage, RequestListener } from 'node:http';
import {
  type BatchedAnswer,
  type BatchedRequest,
  batchMediaType,
  decodeRequests,
  encodeAnswers,
} from '../../src/platform/http-batch.ts';

/**
 * What a service of a test answers to a batch of orders: an answer for each, or nothing, and then the connection is
 * cut after the orders were read.
 */
export type AnswerBatch = (
  orders: BatchedRequest[],
) => BatchedAnswer[] | undefined | Promise<BatchedAnswer[] | undefined>;

/** An orders service that does what the test wants with the orders the gateway sends, and otherwise with the rest. */
export function ordersListener(answerBatch: AnswerBatch, otherwise?: RequestListener): RequestListener {
  return async (request, response) => {
    if (request.url !== '/orders/batch') {
      if (otherwise !== undefined) return otherwise(request, response);
      return response.setHeader('content-type', 'application/json').end('{"ready":true}');
    }
    const answers = await answerBatch(decodeRequests(await bodyOf(request)));
    if (answers === undefined) return request.socket.destroy();
    response.setHeader('content-type', batchMediaType).end(encodeAnswers(answers));
  };
}

/** The answer to an order that was created. */
export function createdAnswer(id = 'x'): BatchedAnswer {
  const headers = { 'content-type': 'application/json; charset=utf-8', location: `/orders/${id}` };
  return { status: 201, headers, body: JSON.stringify({ id }) };
}

/** The answer to an order that the service could not take. */
export function refusedAnswer(): BatchedAnswer {
  const headers = { 'content-type': 'application/problem+json', 'retry-after': '1' };
  return {
    status: 503,
    headers,
    body: JSON.stringify({ code: 'unavailable', detail: 'Nothing was stored.' }),
  };
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts);
}
