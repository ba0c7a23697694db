import { readFileSync } from 'node:fs';
import { type ErrorCode, errorCatalogue } from '../platform/errors.ts';
import { boardSchema } from './board/board-schema.ts';
import { type Route, routes } from './routes.ts';

/** The OpenAPI 3.1 document of the gateway, made from the schemas the services validate with. */
export function openApiDocument() {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) {
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operationOf(route) };
  }
  const health = (summary: string) => ({
    get: {
      summary,
      tags: ['health'],
      responses: { 200: { description: 'yes' }, 503: { description: 'not now' }, ...problems(unreadErrors) },
    },
  });
  const page = (summary: string, mediaType: string) => ({
    summary,
    tags: ['documentation'],
    responses: {
      200: { description: 'the document', content: { [mediaType]: {} } },
      ...problems(thresholdErrors),
    },
  });
  return {
    openapi: '3.1.0',
    info: {
      title: 'tillbox',
      version: version(),
      description:
        'Orders and payments. Amounts are decimal strings; times are UTC; every POST takes an Idempotency-Key.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    paths: {
      ...paths,
      '/': { get: page('The live board, as a page for browsers (Accept: text/html)', 'text/html') },
      '/board/events': { get: boardOperation },
      '/livez': health('Is the gateway alive?'),
      '/readyz': health('Is there a ready instance of each service?'),
      '/openapi.json': { get: page('This document', 'application/json') },
      '/docs': { get: page('This document as a page to read', 'text/html') },
    },
    components: {
      schemas: { Problem: problemSchema, Board: boardSchema },
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description:
            "`sub` is the user id; scope `user` for the user's own account and orders, `operator` for everyone's. On the machine itself, with no identity configured, none is needed.",
        },
      },
    },
  };
}

export type OpenApiDocument = ReturnType<typeof openApiDocument>;

const problemSchema = {
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
const unreadErrors: ErrorCode[] = ['request-timeout', 'headers-too-large', 'internal'];
/** What the door of the gateway can answer to who needs no token. */
const thresholdErrors: ErrorCode[] = [...unreadErrors, 'misdirected', 'rate-limited'];
/** What it can answer to any other request. */
const doorErrors: ErrorCode[] = [...thresholdErrors, 'unauthenticated', 'forbidden'];
/** And to one with an id in its path. */
const pathErrors: ErrorCode[] = ['uri-too-long'];

const boardOperation = {
  operationId: 'watchBoard',
  summary:
    'Watch everything: a server-sent event `board` now and each second, of all six steps, what waits, and recent orders. For operators. A stream ends after five minutes; ask again',
  tags: ['board'],
  security: [{ bearer: [] }, {}],
  responses: {
    200: {
      description: 'events named `board`, each with a Board (see the schemas) as data',
      content: { 'text/event-stream': { schema: { type: 'string' } } },
    },
    ...problems([...doorErrors, 'overloaded']),
  },
};

function operationOf({ operation, summary, service, schema, answer, errors }: Route): object {
  const parameters = [
    ...parametersIn('path', schema.params),
    ...parametersIn('query', schema.querystring),
    ...parametersIn('header', schema.headers),
  ];
  const content = {
    [answer.mediaType ?? 'application/json']: { schema: answer.schema ?? { type: 'string' } },
  };
  return {
    operationId: operation,
    summary,
    tags: [service],
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(schema.body === undefined
      ? {}
      : { requestBody: { required: true, content: { 'application/json': { schema: schema.body } } } }),
    security: [{ bearer: [] }, {}],
    responses: {
      [answer.status]: { description: answer.description, content },
      ...problems([...errors, ...doorErrors, ...(schema.params === undefined ? [] : pathErrors)]),
    },
  };
}

function parametersIn(place: 'path' | 'query' | 'header', schema: Route['schema']['params']): object[] {
  return Object.entries(schema?.properties ?? {}).map(
    ([name, { description, ...rest }]: [string, { description?: string }]) => ({
      name: place === 'header' ? 'Idempotency-Key' : name,
      in: place,
      required: schema?.required?.includes(name) ?? false,
      ...(description === undefined ? {} : { description }),
      schema: rest,
    }),
  );
}

/** Refusals by status, each with the codes it can have. */
function problems(codes: readonly ErrorCode[]): Record<string, object> {
  const byStatus = Map.groupBy(codes, (code) => errorCatalogue[code].status);
  return Object.fromEntries(
    [...byStatus].map(([status, same]) => [
      status,
      {
        description: same.map((code) => `\`${code}\`: ${errorCatalogue[code].title}`).join('; '),
        content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
      },
    ]),
  );
}

/** The version in the nearest package.json above: this file's place differs between source and build. */
export function version(): string {
  for (const up of ['../..', '../../..']) {
    try {
      const { version } = JSON.parse(readFileSync(new URL(`${up}/package.json`, import.meta.url), 'utf8'));
      if (typeof version === 'string') return version;
    } catch {
      // One folder further up.
    }
  }
  return '0.0.0';
}
