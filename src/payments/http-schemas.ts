import {
  amountSchema,
  decimalSchema,
  positiveDecimalSchema,
  timeSchema,
  userIdSchema,
  uuidSchema,
} from '../platform/field-schemas.ts';
import { idempotencyKeySchema } from '../platform/http-headers.ts';
import { cursorSchema, limitSchema } from '../platform/paging.ts';

/** JSON Schemas of the payments service's requests and answers; the gateway publishes them. */

export const accountSchema = {
  title: 'Account',
  type: 'object',
  required: ['user_id', 'balance', 'created_at'],
  properties: { user_id: userIdSchema, balance: decimalSchema, created_at: timeSchema },
} as const;

export const topupSchema = {
  title: 'Topup',
  type: 'object',
  required: ['id', 'user_id', 'amount', 'balance', 'created_at'],
  properties: {
    id: uuidSchema,
    user_id: userIdSchema,
    amount: positiveDecimalSchema,
    balance: { ...decimalSchema, description: 'the balance right after this top-up' },
    created_at: timeSchema,
  },
} as const;

export const entryPageSchema = {
  title: 'Entries',
  type: 'object',
  required: ['entries', 'next_cursor'],
  properties: {
    entries: {
      type: 'array',
      items: {
        title: 'Entry',
        type: 'object',
        required: ['seq', 'kind', 'amount', 'balance', 'topup_id', 'order_id', 'created_at'],
        properties: {
          seq: { type: 'integer', description: 'numbers the entries of an account from 1, without a hole' },
          kind: { type: 'string', enum: ['topup', 'order'] },
          amount: { ...decimalSchema, description: 'positive for a top-up, negative for an order' },
          balance: { ...decimalSchema, description: 'the balance right after this entry' },
          topup_id: { ...uuidSchema, type: ['string', 'null'] },
          order_id: { ...uuidSchema, type: ['string', 'null'] },
          created_at: timeSchema,
        },
      },
    },
    next_cursor: { type: ['string', 'null'], description: 'pass it as cursor for the next page' },
  },
} as const;

const timeOrNullSchema = { ...timeSchema, type: ['string', 'null'] } as const;

export const paymentSchema = {
  title: 'Payment',
  type: 'object',
  required: ['order_id', 'received_at', 'decided_at', 'outcome', 'reason', 'published'],
  properties: {
    order_id: uuidSchema,
    received_at: { ...timeOrNullSchema, description: 'when its request arrived; null once that is pruned' },
    decided_at: { ...timeOrNullSchema, description: 'when it was decided' },
    outcome: { type: ['string', 'null'], enum: ['paid', 'failed', null] },
    reason: { type: ['string', 'null'], description: 'why it failed' },
    published: { type: 'boolean', description: 'whether the decision has left for the orders service' },
  },
} as const;

const idempotencyHeaders = {
  type: 'object',
  properties: { 'idempotency-key': idempotencyKeySchema },
} as const;
const userIdParams = {
  type: 'object',
  required: ['user_id'],
  properties: { user_id: userIdSchema },
} as const;

export const createAccountSchema = {
  body: {
    title: 'NewAccount',
    type: 'object',
    required: ['user_id'],
    additionalProperties: false,
    properties: { user_id: userIdSchema },
  },
  headers: idempotencyHeaders,
} as const;

export const topUpSchema = {
  body: {
    title: 'NewTopup',
    type: 'object',
    required: ['amount'],
    additionalProperties: false,
    properties: { amount: amountSchema },
  },
  params: userIdParams,
  headers: idempotencyHeaders,
} as const;

export const accountIdSchema = { params: userIdParams } as const;

export const orderPaymentSchema = {
  params: { type: 'object', required: ['order_id'], properties: { order_id: uuidSchema } },
} as const;

export const listEntriesSchema = {
  params: userIdParams,
  querystring: {
    type: 'object',
    additionalProperties: false,
    properties: { limit: limitSchema, cursor: cursorSchema },
  },
} as const;
