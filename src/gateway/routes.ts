import {
  createOrderSchema,
  listOrdersSchema,
  orderIdSchema,
  orderPageSchema,
  orderSchema,
  watchOrderSchema,
} from '../orders/http-schemas.ts';
import {
  accountIdSchema,
  accountSchema,
  createAccountSchema,
  entryPageSchema,
  listEntriesSchema,
  orderPaymentSchema,
  paymentSchema,
  topUpSchema,
  topupSchema,
} from '../payments/http-schemas.ts';
import type { ErrorCode } from '../platform/errors.ts';
import type { AnswerHeader } from './openapi-headers.ts';

/** A route of the gateway: where it leads, and what the document at `/openapi.json` says about it. */
export interface Route {
  method: 'GET' | 'POST';
  /** Path with parameters in braces, as OpenAPI writes it. */
  path: string;
  service: 'orders' | 'payments';
  operation: string;
  /** Whether what comes at the same time goes to the service together. */
  batched?: true;
  /** Whether the answer lasts until one of both ends has enough. */
  streamed?: true;
  summary: string;
  /** Schemas of parameters and body, the very ones the service validates with. */
  schema: { body?: object; params?: Schema; querystring?: Schema; headers?: Schema };
  answer: {
    status: 200 | 201;
    schema?: object;
    mediaType?: string;
    description: string;
    /** Those that only this route's answer has. */
    headers?: AnswerHeader[];
  };
  errors: ErrorCode[];
}

interface Schema {
  required?: readonly string[];
  properties: Record<string, object>;
}

const writeErrors: ErrorCode[] = [
  'validation-failed',
  'malformed-json',
  'body-too-large',
  'unsupported-media-type',
  'idempotency-key-reused',
  'unavailable',
  'overloaded',
  'outcome-unknown',
];
const readErrors: ErrorCode[] = ['validation-failed', 'unavailable', 'overloaded'];

/** All routes that lead to a service. There is nothing else a client can reach. */
export const routes: readonly Route[] = [
  {
    method: 'POST',
    path: '/accounts',
    service: 'payments',
    operation: 'createAccount',
    summary: 'Create the account of a user, empty; a user has at most one',
    schema: createAccountSchema,
    answer: {
      status: 201,
      schema: accountSchema,
      description: 'the account',
      headers: ['Location', 'Idempotent-Replayed'],
    },
    errors: [...writeErrors, 'account-exists'],
  },
  {
    method: 'GET',
    path: '/accounts/{user_id}',
    service: 'payments',
    operation: 'readAccount',
    summary: 'Read the balance of an account',
    schema: accountIdSchema,
    answer: { status: 200, schema: accountSchema, description: 'the account' },
    errors: [...readErrors, 'account-not-found'],
  },
  {
    method: 'POST',
    path: '/accounts/{user_id}/topups',
    service: 'payments',
    operation: 'topUp',
    summary: 'Put money into an account',
    schema: topUpSchema,
    answer: {
      status: 201,
      schema: topupSchema,
      description: 'the top-up',
      headers: ['Idempotent-Replayed'],
    },
    errors: [...writeErrors, 'account-not-found', 'balance-limit'],
  },
  {
    method: 'GET',
    path: '/accounts/{user_id}/entries',
    service: 'payments',
    operation: 'listEntries',
    summary: "List an account's ledger entries, newest first",
    schema: listEntriesSchema,
    answer: { status: 200, schema: entryPageSchema, description: 'a page of entries' },
    errors: [...readErrors, 'account-not-found'],
  },
  {
    method: 'POST',
    path: '/orders',
    service: 'orders',
    operation: 'createOrder',
    batched: true,
    summary:
      'Create an order; its payment is decided right after. `Prefer: wait=N` holds the answer back until it is final or N seconds (at most 60) have passed',
    schema: createOrderSchema,
    answer: {
      status: 201,
      schema: orderSchema,
      description: 'the order',
      headers: ['Location', 'Idempotent-Replayed', 'Preference-Applied'],
    },
    // Who may act for one user alone is told so of another.
    errors: [...writeErrors, 'account-not-found'],
  },
  {
    method: 'GET',
    path: '/orders',
    service: 'orders',
    operation: 'listOrders',
    summary: "List a user's orders, newest first",
    schema: listOrdersSchema,
    answer: { status: 200, schema: orderPageSchema, description: 'a page of orders' },
    errors: [...readErrors, 'account-not-found'],
  },
  {
    method: 'GET',
    path: '/orders/{id}',
    service: 'orders',
    operation: 'readOrder',
    summary: 'Read an order',
    schema: orderIdSchema,
    answer: { status: 200, schema: orderSchema, description: 'the order' },
    errors: [...readErrors, 'order-not-found'],
  },
  {
    method: 'GET',
    path: '/orders/{id}/events',
    service: 'orders',
    operation: 'watchOrder',
    streamed: true,
    summary:
      'Watch an order: a server-sent event `status` for its status now and each later one; ends at a final one, or after five minutes: ask again then',
    schema: watchOrderSchema,
    answer: {
      status: 200,
      mediaType: 'text/event-stream',
      description:
        'events named `status`, each with the order as data; with `steps=true` also events named `step`, each with `step` (created, published, settled) and `at` (null when the moment was not seen)',
    },
    errors: [...readErrors, 'order-not-found'],
  },
  {
    method: 'GET',
    path: '/payments/{order_id}',
    service: 'payments',
    operation: 'readPayment',
    summary: 'See how far the payment of an order has come',
    schema: orderPaymentSchema,
    answer: { status: 200, schema: paymentSchema, description: 'received, decided, published' },
    errors: [...readErrors, 'payment-not-found'],
  },
];
