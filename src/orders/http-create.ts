import type { FastifyInstance } from 'fastify';
import {
  type BatchedAnswer,
  type BatchedRequest,
  batchBytesMax,
  batchMediaType,
  decodeRequests,
  encodeAnswers,
} from '../platform/http-batch.ts';
import { preferredWaitSeconds } from '../platform/http-headers.ts';
import { jsonType, parseJsonBody } from '../platform/http-json.ts';
import { problemAnswer, refusalOf } from '../platform/http-problems.ts';
import { untilClosed } from '../platform/http-server.ts';
import { checked, compileSchema } from '../platform/http-validation.ts';
import { principalHeaderName } from '../platform/identity/gateway-credential.ts';
import { mayActFor, type Principal, principalIn } from '../platform/identity/principal.ts';
import { accountNotFound, gatewayAlone } from '../platform/identity/refusals.ts';
import type { Logger } from '../platform/logging.ts';
import { parseAmount } from '../platform/money.ts';
import { traceparentIn } from '../platform/telemetry/trace-context.ts';
import type { Created, OrderCreation } from './create-orders.ts';
import { createOrderSchema } from './http-schemas.ts';
import { type OrderRequest, viewOrder } from './order.ts';
import type { SettlementWatch } from './settlement-watch.ts';

/** What creating orders over HTTP takes. */
export interface CreateOrderParts {
  creation: OrderCreation;
  watch: SettlementWatch;
  log: Logger;
}

/** Adds `POST /orders`, which may wait until the order is final, and the same for many orders at once. */
export function addCreateOrder(app: FastifyInstance, parts: CreateOrderParts): void {
  const { creation, watch } = parts;
  app.post('/orders', async (request, reply) => {
    const created = await creation.create(orderRequestIn(request.body, request.headers, request.principal));
    reply.code(201).headers(headersOf(created));
    const waitSeconds = preferredWaitSeconds(request.headers['prefer']);
    if (waitSeconds === undefined) return viewOrder(created.order);
    reply.header('preference-applied', `wait=${waitSeconds}`);
    const signal = AbortSignal.any([AbortSignal.timeout(waitSeconds * 1_000), untilClosed(reply.raw)]);
    // A replayed order may have been final for long: the watch's poll finds that as well.
    return viewOrder((await watch.untilFinal(created.order.id, signal)) ?? created.order);
  });
  app.register(async (batches) => addCreateOrders(batches, parts));
}

/** `POST /orders/batch`: the gateway sends here what it gathered. Each order is answered as if it had come alone. */
function addCreateOrders(app: FastifyInstance, { creation, log }: CreateOrderParts): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    batchMediaType,
    { parseAs: 'buffer', bodyLimit: batchBytesMax },
    (_request, body, done) => done(null, body),
  );
  const answer = async ({ headers, body }: BatchedRequest): Promise<BatchedAnswer> => {
    try {
      const principal = principalIn(headers[principalHeaderName]);
      if (principal === undefined) throw gatewayAlone();
      const created = await creation.create(orderRequestIn(parseJsonBody(body), headers, principal));
      return {
        status: 201,
        headers: { 'content-type': jsonType, ...headersOf(created) },
        body: JSON.stringify(viewOrder(created.order)),
      };
    } catch (error) {
      const requestId = headers['x-request-id'] ?? '';
      const { traceparent } = headers;
      const about = { isWrite: true, requestId, traceparent, log };
      return problemAnswer(refusalOf(error as Error, about), requestId);
    }
  };
  app.post<{ Body?: Buffer }>('/orders/batch', async ({ body }, reply) => {
    const answers = await Promise.all(decodeRequests(body ?? Buffer.alloc(0)).map(answer));
    return reply.type(batchMediaType).send(encodeAnswers(answers));
  });
}

const validateBody = compileSchema<{ user_id: string; amount: string; description?: string }>(
  createOrderSchema.body,
);
const validateHeaders = compileSchema<{ 'idempotency-key'?: string }>(createOrderSchema.headers);

/** The order that a request asks for. @throws CodedError `validation-failed`, `account-not-found` for another's */
function orderRequestIn(
  body: unknown,
  headers: Record<string, string | string[] | undefined>,
  principal: Principal,
): OrderRequest {
  const { user_id: userId, amount, description = '' } = checked(validateBody, body);
  if (!mayActFor(principal, userId)) throw accountNotFound(userId);
  const { 'idempotency-key': idempotencyKey } = checked(validateHeaders, headers);
  return {
    userId,
    // The format of the schema is this very rule.
    amount: parseAmount(amount) as bigint,
    description,
    idempotencyKey,
    traceparent: traceparentIn(headers['traceparent']),
  };
}

function headersOf({ order, replayed }: Created): Record<string, string> {
  const location = `/orders/${order.id}`;
  return replayed ? { location, 'idempotent-replayed': 'true' } : { location };
}
