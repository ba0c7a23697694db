import {
  amountSchema,
  positiveDecimalSchema,
  timeSchema,
  userIdSchema,
  uuidSchema,
} from '../platform/field-schemas.ts';
import { idempotencyKeySchema, lastEventIdSchema, preferSchema } from '../platform/http-headers.ts';
import { cursorSchema, limitSchema } from '../platform/paging.ts';
import { orderStatuses } from './order.ts';

/** JSON Schemas of the orders service's requests and answers; the gateway publishes them. */

const statusSchema = {
  type: 'string',
  enum: orderStatuses,
  description: `must be one of ${orderStatuses.join(', ')}`,
} as const;

export const orderSchema = {
  title: 'Order',
  type: 'object',
  required: ['id', 'user_id', 'amount', 'description', 'status', 'reason', 'created_at', 'settled_at'],
  properties: {
    id: uuidSchema,
    user_id: userIdSchema,
    amount: positiveDecimalSchema,
    description: { type: 'string' },
    status: { ...statusSchema, description: 'NEW until the payment is decided, then final' },
    reason: { type: ['string', 'null'], description: 'why it was canceled' },
    created_at: timeSchema,
    settled_at: { ...timeSchema, type: ['string', 'null'] },
  },
} as const;

export const createOrderSchema = {
  body: {
    title: 'NewOrder',
    type: 'object',
    required: ['user_id', 'amount'],
    additionalProperties: false,
    properties: {
      user_id: userIdSchema,
      amount: amountSchema,
      description: {
        type: 'string',
        maxLength: 500,
        format: 'storable-text',
        description: 'must be up to 500 characters of well-formed text without NUL',
        examples: ['two tickets'],
      },
    },
  },
  headers: {
    type: 'object',
    properties: { 'idempotency-key': idempotencyKeySchema, prefer: preferSchema },
  },
} as const;

export const listOrdersSchema = {
  querystring: {
    type: 'object',
    required: ['user_id'],
    additionalProperties: false,
    properties: { user_id: userIdSchema, status: statusSchema, limit: limitSchema, cursor: cursorSchema },
  },
} as const;

export const orderPageSchema = {
  title: 'Orders',
  type: 'object',
  required: ['orders', 'next_cursor'],
  properties: {
    orders: { type: 'array', items: orderSchema },
    next_cursor: { type: ['string', 'null'], description: 'pass it as cursor for the next page' },
  },
} as const;

export const orderIdSchema = {
  params: { type: 'object', required: ['id'], properties: { id: uuidSchema } },
} as const;

export const watchOrderSchema = {
  ...orderIdSchema,
  headers: { type: 'object', properties: { 'last-event-id': lastEventIdSchema } },
  querystring: {
    type: 'object',
    properties: {
      steps: {
        type: 'string',
        enum: ['true', 'false'],
        description: 'must be true or false: with true each step of the order is an event `step` as well',
      },
    },
  },
} as const;
