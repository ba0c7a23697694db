import { type AnswerHeader, headersOf } from './openapi-headers.ts';
import { doorErrors, problems, thresholdErrors, unreadErrors } from './openapi-problems.ts';
import { readinessSchema } from './readiness.ts';

/** What the gateway answers itself, as the OpenAPI document describes it. */

const health = (description: string, schema: object, own: AnswerHeader[] = []) => ({
  description,
  headers: headersOf('health', own),
  content: { 'application/json': { schema } },
});

const livenessSchema = {
  title: 'Liveness',
  type: 'object',
  required: ['alive'],
  properties: { alive: { type: 'boolean' } },
} as const;

const livenessOperation = {
  summary: 'Is the gateway alive?',
  tags: ['health'],
  responses: { 200: health('yes', livenessSchema), ...problems([...unreadErrors, 'overloaded'], 'health') },
};

const readinessOperation = {
  summary: 'Is there a ready instance of each service?',
  tags: ['health'],
  responses: {
    200: health('yes', readinessSchema),
    503: health('not now', readinessSchema, ['Retry-After']),
    ...problems(unreadErrors, 'health'),
  },
};

function page(summary: string, mediaType: string, schema: object, own: AnswerHeader[] = []) {
  return {
    summary,
    tags: ['documentation'],
    responses: {
      200: {
        description: 'the document',
        headers: headersOf('door', own),
        content: { [mediaType]: { schema } },
      },
      ...problems(thresholdErrors),
    },
  };
}

const pageHeaders: AnswerHeader[] = [
  'Content-Security-Policy',
  'Referrer-Policy',
  'Cross-Origin-Opener-Policy',
];
const boardPage = page(
  'The live board, as a page for browsers',
  'text/html',
  { type: 'string' },
  pageHeaders,
);
const boardPageOperation = {
  ...boardPage,
  parameters: [
    {
      name: 'Accept',
      in: 'header',
      required: false,
      description: 'with text/html in it there is a page; there is nothing here for others',
      schema: { type: 'string' },
    },
  ],
  responses: { ...boardPage.responses, ...problems(['route-not-found']) },
};

const boardOperation = {
  operationId: 'watchBoard',
  summary:
    'Watch everything: a server-sent event `board` now and each second, of all six steps, what waits, and recent orders. For operators. A stream ends after five minutes; ask again',
  tags: ['board'],
  security: [{ bearer: [] }, {}],
  responses: {
    200: {
      description: 'events named `board`, each with a Board (see the schemas) as data',
      headers: headersOf('door', ['X-Accel-Buffering']),
      content: { 'text/event-stream': { schema: { type: 'string' } } },
    },
    ...problems([...doorErrors, 'overloaded']),
  },
};

/** Each at its path; all of them are GET. */
export const ownOperations = {
  '/': { get: boardPageOperation },
  '/board/events': { get: boardOperation },
  '/livez': { get: livenessOperation },
  '/readyz': { get: readinessOperation },
  '/openapi.json': { get: page('This document', 'application/json', { type: 'object' }) },
  '/docs': { get: page('This document as a page to read', 'text/html', { type: 'string' }) },
};
