import { CodedError } from './errors.ts';

/** The media type of every answer that is no refusal. */
export const jsonType = 'application/json; charset=utf-8';

const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * Reads a JSON body. A number in the field `amount` of a flat object is handed on as the text it was written
 * as, so that 0.1 is exactly 0.1 and 1e3 is seen for what it is. Every schema refuses what is nested.
 * @throws CodedError `malformed-json`
 */
export function parseJsonBody(body: Buffer): unknown {
  let text: string;
  let value: unknown;
  try {
    text = utf8.decode(body);
    value = JSON.parse(text);
  } catch (cause) {
    const detail =
      'The body must be one JSON document in UTF-8. Nothing was stored; correct it and send it again.';
    throw new CodedError('malformed-json', detail, { cause });
  }
  if (isFlat(value) && typeof value['amount'] === 'number') value['amount'] = sourceOfAmount(text);
  return value;
}

/** A reviver is called recursively: what is nested deep would overflow its stack. */
function isFlat(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  return Object.values(value).every((field) => typeof field !== 'object' || field === null);
}

/** The last number written in a field `amount`, which is the one that counts in a flat object. */
function sourceOfAmount(text: string): string {
  let source = '';
  // `context.source` is the text a primitive was written as (ECMAScript, JSON.parse source text access).
  const revive = (key: string, value: unknown, context?: { source?: string }) => {
    if (key === 'amount' && typeof value === 'number') source = context?.source ?? '';
    return value;
  };
  JSON.parse(text, revive as (key: string, value: unknown) => unknown);
  return source;
}
