import { type ErrorCode, errorCatalogue } from '../platform/errors.ts';
import { type Entrance, headersOfProblem } from './openapi-headers.ts';

/** What the gateway refuses with, as the OpenAPI document describes it. */

/** What every refusal is answered with. */
export const problemSchema = {
  type: 'object',
  description: 'A problem document (RFC 9457)',
  required: ['type', 'title', 'status', 'code', 'detail', 'request_id'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    code: { type: 'string', enum: Object.keys(errorCatalogue) },
    detail: { type: 'string', description: 'what is wrong and what to do' },
    request_id: { type: 'string' },
    errors: {
      type: 'array',
      items: {
        type: 'object',
        required: ['field', 'message'],
        properties: { field: { type: 'string' }, message: { type: 'string' } },
      },
    },
  },
} as const;

/** What any request can be answered: refused before anybody has read it, or by a bug of ours. */
export const unreadErrors: ErrorCode[] = [
  'malformed-request',
  'request-timeout',
  'headers-too-large',
  'internal',
];
/** What the door of the gateway can answer to who needs no token. */
export const thresholdErrors: ErrorCode[] = [...unreadErrors, 'misdirected', 'rate-limited'];
/** What it can answer to any other request. */
export const doorErrors: ErrorCode[] = [...thresholdErrors, 'unauthenticated', 'forbidden'];
/** And to one with an id in its path. */
export const pathErrors: ErrorCode[] = ['uri-too-long'];

/** Refusals by status, each with the codes it can have. */
export function problems(codes: readonly ErrorCode[], entrance: Entrance = 'door'): Record<string, object> {
  const byStatus = Map.groupBy(codes, (code) => errorCatalogue[code].status);
  return Object.fromEntries(
    [...byStatus].map(([status, same]) => [
      status,
      {
        description: same.map((code) => `\`${code}\`: ${errorCatalogue[code].title}`).join('; '),
        ...headersOfProblem(entrance, status, same),
        content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
      },
    ]),
  );
}
