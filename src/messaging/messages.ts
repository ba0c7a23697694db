import { createHash } from 'node:crypto';
import { positiveDecimalSchema, userIdSchema, uuidSchema } from '../platform/field-schemas.ts';
import { formatAmount } from '../platform/money.ts';

/**
 * The contract between the services: three messages in the CloudEvents 1.0 JSON form. They carry ids and
 * amounts, never free text. Unknown fields are ignored; an unknown type or version is a dead letter.
 */

/** Why a payment was declined; recorded as a decision, shown as the order's reason. */
export const declineReasons = ['ACCOUNT_NOT_FOUND', 'INSUFFICIENT_FUNDS'] as const;
export type DeclineReason = (typeof declineReasons)[number];

/** What every message says: which order, whose, how much (minor units). */
export interface PaymentFacts {
  orderId: string;
  userId: string;
  amount: bigint;
}

/** A message as code handles it. */
export type Message = PaymentFacts & { traceparent?: string | undefined } & (
    | { type: 'payment.requested.v1' }
    | { type: 'payment.succeeded.v1' }
    | { type: 'payment.failed.v1'; reason: DeclineReason }
  );
export type MessageType = Message['type'];
export type PaymentRequested = Extract<Message, { type: 'payment.requested.v1' }>;
export type PaymentResult = Exclude<Message, PaymentRequested>;

/** The queue each type of message travels through. */
export const queueOf = {
  'payment.requested.v1': 'payment-requests',
  'payment.succeeded.v1': 'payment-results',
  'payment.failed.v1': 'payment-results',
} as const satisfies Record<MessageType, string>;
export type Queue = (typeof queueOf)[MessageType];
/** All of them. */
export const queues: readonly Queue[] = [...new Set(Object.values(queueOf))];

/** Most messages in a batch: in one row of an outbox, and in one job. */
export const batchSizeMax = 100;

/** Who sends each type of message, as CloudEvents `source`. */
const sourceOf = {
  'payment.requested.v1': '/tillbox/orders',
  'payment.succeeded.v1': '/tillbox/payments',
  'payment.failed.v1': '/tillbox/payments',
} as const satisfies Record<MessageType, string>;

/** A message as it crosses the broker. `time` is the moment its outbox row was written. */
export interface CloudEvent {
  specversion: '1.0';
  id: string;
  source: string;
  type: MessageType;
  subject: string;
  time?: string;
  traceparent?: string;
  data: { order_id: string; user_id: string; amount: string; reason?: DeclineReason };
}

/**
 * The id of the message of this type about this order: always the same one, so that a message published
 * twice, or again a week later, is the same message. It is the order's UUID with its last 48 bits mixed
 * with the type's hash: as unique as the order's, and as ordered in time, which keeps an index on it tight.
 * @param orderId in lower case
 */
export function messageId(orderId: string, type: MessageType): string {
  const mixed = BigInt(`0x${orderId.slice(24)}`) ^ typeMask[type];
  return orderId.slice(0, 24) + mixed.toString(16).padStart(12, '0');
}

const typeMask = Object.fromEntries(
  Object.keys(queueOf).map((type) => [
    type,
    BigInt(`0x${createHash('sha256').update(type).digest('hex').slice(0, 12)}`),
  ]),
) as Record<MessageType, bigint>;

/** The message in its form for the broker, without `time`, which the relay adds. */
export function toCloudEvent(message: Message): CloudEvent {
  const { type, orderId, userId, amount, traceparent } = message;
  return {
    specversion: '1.0',
    id: messageId(orderId, type),
    source: sourceOf[type],
    type,
    subject: orderId,
    ...(traceparent === undefined ? {} : { traceparent }),
    data: {
      order_id: orderId,
      user_id: userId,
      amount: formatAmount(amount),
      ...(type === 'payment.failed.v1' ? { reason: message.reason } : {}),
    },
  };
}

function schemaOf(type: MessageType) {
  const failed = type === 'payment.failed.v1';
  return {
    title: type,
    type: 'object',
    required: ['specversion', 'id', 'source', 'type', 'subject', 'data'],
    properties: {
      specversion: { const: '1.0' },
      id: uuidSchema,
      source: { type: 'string', minLength: 1, maxLength: 200 },
      type: { const: type },
      subject: uuidSchema,
      time: { type: 'string', maxLength: 40 },
      traceparent: { type: 'string', pattern: '^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$' },
      data: {
        type: 'object',
        required: failed ? ['order_id', 'user_id', 'amount', 'reason'] : ['order_id', 'user_id', 'amount'],
        properties: {
          order_id: uuidSchema,
          user_id: userIdSchema,
          amount: positiveDecimalSchema,
          ...(failed ? { reason: { enum: declineReasons } } : {}),
        },
      },
    },
  } as const;
}

/** JSON Schemas of the messages, by type: what is published and what validates are the same. */
export const messageSchemas = {
  'payment.requested.v1': schemaOf('payment.requested.v1'),
  'payment.succeeded.v1': schemaOf('payment.succeeded.v1'),
  'payment.failed.v1': schemaOf('payment.failed.v1'),
} as const satisfies Record<MessageType, object>;

/** Whether messages of this type exist. */
export function isMessageType(type: unknown): type is MessageType {
  return typeof type === 'string' && Object.hasOwn(queueOf, type);
}
