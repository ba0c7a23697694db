import { Ajv, type ErrorObject } from 'ajv';
import { parseAmount } from '../platform/money.ts';
import {
  type CloudEvent,
  isMessageType,
  type Message,
  type MessageType,
  messageId,
  messageSchemas,
  type Queue,
  queueOf,
} from './messages.ts';

// That the schemas are sound is tested; checking it here took each start a twentieth of a second.
const ajv = new Ajv({ strict: false, validateSchema: false, verbose: true });
const validators = {
  'payment.requested.v1': ajv.compile<CloudEvent>(messageSchemas['payment.requested.v1']),
  'payment.succeeded.v1': ajv.compile<CloudEvent>(messageSchemas['payment.succeeded.v1']),
  'payment.failed.v1': ajv.compile<CloudEvent>(messageSchemas['payment.failed.v1']),
};

/** What came out of the broker: a message, or why it can never be one. */
export type Parsed<M extends Message> =
  | { ok: true; message: M }
  | { ok: false; reason: 'unknown-type' | 'invalid-message'; detail: string };

/**
 * Reads a message from a queue. Pure, and it never throws: whatever it is given is either a message that
 * belongs into this queue or has a reason for the dead letters.
 */
export function parseMessage<Q extends Queue>(
  queue: Q,
  value: unknown,
): Parsed<Extract<Message, { type: TypesIn<Q> }>> {
  const type = typeof value === 'object' && value !== null && 'type' in value ? value.type : undefined;
  if (!isMessageType(type) || queueOf[type] !== queue) {
    const detail =
      typeof type === 'string'
        ? `queue ${queue} does not carry ${JSON.stringify(type.slice(0, 100))}`
        : 'the message has no type';
    return { ok: false, reason: 'unknown-type', detail };
  }
  const validate = validators[type];
  if (!validate(value)) {
    return { ok: false, reason: 'invalid-message', detail: ruleBroken(validate.errors?.[0]) };
  }
  const { user_id: userId, reason } = value.data;
  const orderId = value.data.order_id.toLowerCase();
  const amount = parseAmount(value.data.amount);
  if (amount === undefined) {
    // Only if the pattern of the schema and the rule of money ever differ.
    return { ok: false, reason: 'invalid-message', detail: '/data/amount is out of range' };
  }
  if (value.id.toLowerCase() !== messageId(orderId, type) || value.subject.toLowerCase() !== orderId) {
    return { ok: false, reason: 'invalid-message', detail: '/id is not the id of this type and order' };
  }
  const message = { type, orderId, userId, amount, reason, traceparent: value.traceparent };
  return { ok: true, message: message as Extract<Message, { type: TypesIn<Q> }> };
}

/** Where, and the rule there; a pattern in the words of its schema. */
function ruleBroken(error: ErrorObject | undefined): string {
  const rule = error?.keyword === 'pattern' ? error.parentSchema?.['description'] : undefined;
  return `${error?.instancePath || '/'} ${rule ?? error?.message}`;
}

type TypesIn<Q extends Queue> = {
  [T in MessageType]: (typeof queueOf)[T] extends Q ? T : never;
}[MessageType];
