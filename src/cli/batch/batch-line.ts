import { CodedError } from '../../platform/errors.ts';
import { isUserId, userIdSchema } from '../../platform/field-schemas.ts';
import { idempotencyKeyArgument } from '../arguments.ts';
import { type Line, lineBytesMax } from './lines.ts';

/** What a command sends for a line: where to, and what. */
export interface BatchWrite {
  path: string;
  /** JSON. */
  body: string;
  idempotencyKey: string;
}

/** Where a line's object goes, and what of it is the body. Throws CodedErrors. */
export type Address = (fields: Record<string, unknown>) => { path: string; body: object };

/** As the gateway takes them. */
export const addressOfAccount: Address = (body) => ({ path: '/accounts', body });
export const addressOfOrder: Address = (body) => ({ path: '/orders', body });
export const addressOfTopup: Address = ({ user_id: userId, ...body }) => {
  if (typeof userId !== 'string' || !isUserId(userId)) throw broken('user_id', userIdSchema.description);
  return { path: `/accounts/${userId}/topups`, body };
};

/**
 * Reads a line: an object with the fields of the HTTP body and, if it likes, its `idempotency_key`; else the
 * key is made from the batch's and the line's number, so that a repeated batch does nothing twice. All other
 * rules are the services'.
 * @throws CodedError that says what is wrong with it
 */
export function readBatchLine(line: Line, batchKey: string, addressOf: Address): BatchWrite {
  const { idempotency_key: given, ...fields } = objectIn(line);
  if (
    given !== undefined &&
    (typeof given !== 'string' || idempotencyKeyArgument.read(given) === undefined)
  ) {
    throw broken('idempotency_key', idempotencyKeyArgument.rule);
  }
  const { path, body } = addressOf(fields);
  return { path, body: JSON.stringify(body), idempotencyKey: given ?? `${batchKey}:${line.number}` };
}

function objectIn({ text, fault }: Line): Record<string, unknown> {
  if (fault === 'too-long') {
    throw new CodedError('body-too-large', `A line has at most ${lineBytesMax} bytes. Nothing was sent.`);
  }
  if (text === undefined) throw new CodedError('malformed-json', 'The line is not UTF-8. Nothing was sent.');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // What the parser says quotes the line; that is there to look at.
    throw new CodedError('malformed-json', 'The line is not JSON: it must be one object. Nothing was sent.');
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new CodedError('validation-failed', 'The line must be an object. Nothing was sent.');
}

function broken(field: string, rule: string): CodedError {
  return new CodedError('validation-failed', `${field} ${rule}. Nothing was sent.`, {
    fields: [{ field, message: rule }],
  });
}
