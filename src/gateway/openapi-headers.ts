import type { ErrorCode } from '../platform/errors.ts';

/** The headers of the gateway's requests and answers, as the OpenAPI document names them. */

const text = (description: string) => ({ description, schema: { type: 'string' } }) as const;
const whole = (description: string) => ({ description, schema: { type: 'integer', minimum: 0 } }) as const;

/** Every header an answer can have, but for those that HTTP itself needs. */
export const headerComponents = {
  'X-Request-Id': text('what the log knows the request by; the one that was sent, if it was a good one'),
  'X-Content-Type-Options': text('nosniff'),
  'Strict-Transport-Security': text('where clients come by TLS'),
  Vary: text('what of the request the answer depends on'),
  'Access-Control-Allow-Origin': text('for a page of an origin in TILLBOX_CORS_ORIGINS'),
  'Access-Control-Expose-Headers': text('for a page of an origin in TILLBOX_CORS_ORIGINS'),
  'Cache-Control': text('no-store, but for what is the same for everybody'),
  'RateLimit-Policy': text('for each limit: q requests in w seconds'),
  RateLimit: text('for each limit: r requests remaining, all of them again after t seconds'),
  'WWW-Authenticate': text('the scheme, and what was wrong with the token or missing in it'),
  'Retry-After': whole('seconds after which to try again'),
  Location: text('the path of what was created'),
  'Idempotent-Replayed': {
    description: 'this is the first answer to a request with this key, once more',
    schema: { type: 'string', const: 'true' },
  },
  'Preference-Applied': text('the wait that was kept to: wait=N'),
  'X-Accel-Buffering': text('no: whoever is between must not gather events'),
  'Content-Security-Policy': text('what the page may do'),
  'Referrer-Policy': text('no-referrer'),
  'Cross-Origin-Opener-Policy': text('same-origin'),
} as const;
export type AnswerHeader = keyof typeof headerComponents;

/** Of every answer to a request that could be read. */
const always: AnswerHeader[] = ['X-Request-Id', 'X-Content-Type-Options', 'Strict-Transport-Security'];
/** Of those that passed the door. */
const behindDoor: AnswerHeader[] = [
  'Vary',
  'Access-Control-Allow-Origin',
  'Access-Control-Expose-Headers',
  'Cache-Control',
  'RateLimit-Policy',
  'RateLimit',
];

/** Where a request is answered: of health nothing is counted, remembered or told to other origins. */
export type Entrance = 'health' | 'door';

/** The headers of an answer, as references. @param own those that only this answer has */
export function headersOf(entrance: Entrance, own: readonly AnswerHeader[] = []) {
  const names = new Set([...always, ...(entrance === 'door' ? behindDoor : []), ...own]);
  return Object.fromEntries([...names].map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}

/** What was refused before it was read, on the connection itself, has no headers of ours. */
const unread: ReadonlySet<ErrorCode> = new Set(['request-timeout', 'headers-too-large']);

/** The headers of a refusal with this status, and any of these codes. */
export function headersOfProblem(entrance: Entrance, status: number, codes: readonly ErrorCode[]) {
  if (codes.every((code) => unread.has(code))) return {};
  if (status === 401 || status === 403) return { headers: headersOf(entrance, ['WWW-Authenticate']) };
  if (status === 429 || status === 503) return { headers: headersOf(entrance, ['Retry-After']) };
  return { headers: headersOf(entrance) };
}

/** What every request that leads to a service may have besides. What is malformed is ignored. */
export const commonRequestHeaders = {
  traceparent: {
    type: 'string',
    description: 'the trace this belongs to (W3C Trace Context); of an order its messages carry it on',
    examples: ['00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'],
  },
  tracestate: { type: 'string', description: 'travels with traceparent' },
  'x-request-id': {
    type: 'string',
    description: 'an id of 1 to 64 characters of A-Z a-z 0-9 _ - that log and answer shall have',
  },
} as const;

/** A header's name as it is written: `idempotency-key` is `Idempotency-Key`. Those of W3C stay small. */
export function writtenName(name: string): string {
  if (name.startsWith('trace')) return name;
  if (name === 'last-event-id') return 'Last-Event-ID';
  return name.replaceAll(/(^|-)[a-z]/g, (start) => start.toUpperCase());
}
