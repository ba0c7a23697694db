import type { ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { Database } from '../platform/database.ts';
import { CodedError } from '../platform/errors.ts';
import { isUuid } from '../platform/field-schemas.ts';
import { preferredWaitSeconds, traceparentIn } from '../platform/http-headers.ts';
import { amountRule, parseAmount } from '../platform/money.ts';
import { cursorRefused, cutPage, keyInCursor, pageSizeDefault } from '../platform/paging.ts';
import type { OrderCreation } from './create-orders.ts';
import {
  createOrderSchema,
  listOrdersSchema,
  orderIdSchema,
  orderPageSchema,
  orderSchema,
  watchOrderSchema,
} from './http-schemas.ts';
import { type Order, type OrderStatus, viewOrder } from './order.ts';
import { streamOrder } from './order-events.ts';
import type { PublicationWatch } from './publication-watch.ts';
import type { SettlementWatch } from './settlement-watch.ts';
import { findOrders, listOrders } from './store.ts';

interface Services {
  database: Database;
  creation: OrderCreation;
  watch: SettlementWatch;
  publications: PublicationWatch;
}

/** Adds the routes of the orders service. */
export function addOrderRoutes(app: FastifyInstance, services: Services): void {
  addCreateOrder(app, services);
  addReadOrders(app, services);
  addOrderEvents(app, services);
}

function addCreateOrder(app: FastifyInstance, { creation, watch }: Services): void {
  app.post<{
    Body: { user_id: string; amount: string; description?: string };
    Headers: { 'idempotency-key'?: string };
  }>(
    '/orders',
    { schema: { ...createOrderSchema, response: { 201: orderSchema } } },
    async (request, reply) => {
      const amount = parseAmount(request.body.amount);
      if (amount === undefined) throw fieldRefused('amount', amountRule);
      const { order, replayed } = await creation.create({
        userId: request.body.user_id,
        amount,
        description: request.body.description ?? '',
        idempotencyKey: request.headers['idempotency-key'],
        traceparent: traceparentIn(request.headers['traceparent']),
      });
      reply.code(201).header('location', `/orders/${order.id}`);
      if (replayed) reply.header('idempotent-replayed', 'true');
      const waitSeconds = preferredWaitSeconds(request.headers['prefer']);
      if (waitSeconds === undefined) return viewOrder(order);
      reply.header('preference-applied', `wait=${waitSeconds}`);
      const signal = AbortSignal.any([AbortSignal.timeout(waitSeconds * 1_000), untilClosed(reply.raw)]);
      // A replayed order may have been final for long: the watch's poll finds that as well.
      return viewOrder((await watch.untilFinal(order.id, signal)) ?? order);
    },
  );
}

function addReadOrders(app: FastifyInstance, { database }: Services): void {
  app.get<{ Querystring: { user_id: string; status?: OrderStatus; limit?: string; cursor?: string } }>(
    '/orders',
    { schema: { ...listOrdersSchema, response: { 200: orderPageSchema } } },
    async ({ query }) => {
      const { user_id: userId, status, cursor } = query;
      const limit = Number(query.limit ?? pageSizeDefault);
      const after = keyInCursor(cursor);
      if (after !== undefined && !(await isOrderOf(database, userId, after))) throw cursorRefused();
      const orders = await listOrders(database, { userId, status, after, limit: limit + 1 });
      const { rows, nextCursor } = cutPage(orders, limit, ({ id }) => id);
      return { orders: rows.map(viewOrder), next_cursor: nextCursor };
    },
  );

  app.get<{ Params: { id: string } }>(
    '/orders/:id',
    { schema: { ...orderIdSchema, response: { 200: orderSchema } } },
    async ({ params }) => viewOrder(await findOrder(database, params.id)),
  );
}

function addOrderEvents(app: FastifyInstance, { database, watch, publications }: Services): void {
  app.get<{ Params: { id: string }; Querystring: { steps?: 'true' | 'false' } }>(
    '/orders/:id/events',
    { schema: watchOrderSchema },
    async (request, reply) => {
      const order = await findOrder(database, request.params.id);
      reply.hijack();
      const { raw } = reply;
      raw.writeHead(200, {
        'content-type': 'text/event-stream',
        'cache-control': 'no-store',
        'x-request-id': request.id,
      });
      const steps = request.query.steps === 'true' ? publications : undefined;
      await streamOrder(raw, order, { watch, publications: steps, closed: untilClosed(raw) });
    },
  );
}

async function findOrder(database: Database, id: string): Promise<Order> {
  const [order] = await findOrders(database, [id]);
  if (order === undefined) {
    const detail = `There is no order ${id}. List a user's orders with GET /orders?user_id=…, or tillbox orders USER.`;
    throw new CodedError('order-not-found', detail);
  }
  return order;
}

async function isOrderOf(database: Database, userId: string, id: string): Promise<boolean> {
  if (!isUuid(id)) return false;
  const [order] = await findOrders(database, [id]);
  return order?.userId === userId;
}

function fieldRefused(field: string, message: string): CodedError {
  return new CodedError('validation-failed', `${field} ${message}.`, { fields: [{ field, message }] });
}

/** Aborts when the client goes away. */
function untilClosed(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  response.once('close', () => controller.abort());
  return controller.signal;
}
