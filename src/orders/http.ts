import type { FastifyInstance } from 'fastify';
import type { Database } from '../platform/database.ts';
import { CodedError } from '../platform/errors.ts';
import { isUuid } from '../platform/field-schemas.ts';
import { untilClosed } from '../platform/http-server.ts';
import { mayActFor, type Principal } from '../platform/identity/principal.ts';
import { accountNotFound } from '../platform/identity/refusals.ts';
import { cursorRefused, cutPage, keyInCursor, pageSizeDefault } from '../platform/paging.ts';
import { addCreateOrder, type CreateOrderParts } from './http-create.ts';
import {
  listOrdersSchema,
  orderIdSchema,
  orderPageSchema,
  orderSchema,
  watchOrderSchema,
} from './http-schemas.ts';
import { type Order, type OrderStatus, viewOrder } from './order.ts';
import { streamOrder } from './order-events.ts';
import type { PublicationWatch } from './publication-watch.ts';
import { findOrders, listOrders } from './store.ts';

interface Services extends CreateOrderParts {
  database: Database;
  publications: PublicationWatch;
}

/** Adds the routes of the orders service. */
export function addOrderRoutes(app: FastifyInstance, services: Services): void {
  addCreateOrder(app, services);
  addReadOrders(app, services);
  addOrderEvents(app, services);
}

function addReadOrders(app: FastifyInstance, { database }: Services): void {
  app.get<{ Querystring: { user_id: string; status?: OrderStatus; limit?: string; cursor?: string } }>(
    '/orders',
    { schema: { ...listOrdersSchema, response: { 200: orderPageSchema } } },
    async ({ query, principal }) => {
      const { user_id: userId, status, cursor } = query;
      if (!mayActFor(principal, userId)) throw accountNotFound(userId);
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
    async ({ params, principal }) => viewOrder(await findOrder(database, params.id, principal)),
  );
}

function addOrderEvents(app: FastifyInstance, { database, watch, publications }: Services): void {
  app.get<{ Params: { id: string }; Querystring: { steps?: 'true' | 'false' } }>(
    '/orders/:id/events',
    { schema: watchOrderSchema },
    async (request, reply) => {
      const order = await findOrder(database, request.params.id, request.principal);
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

/** The order; one that belongs to somebody else is as little there as one that nobody created. */
async function findOrder(database: Database, id: string, principal: Principal): Promise<Order> {
  const [order] = await findOrders(database, [id]);
  if (order === undefined || !mayActFor(principal, order.userId)) {
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
