import { readFileSync } from 'node:fs';
import { boardSchema } from './board/board-schema.ts';
import { commonRequestHeaders, headerComponents, headersOf, writtenName } from './openapi-headers.ts';
import { ownOperations } from './openapi-own.ts';
import { doorErrors, pathErrors, problemSchema, problems } from './openapi-problems.ts';
import { type Route, routes } from './routes.ts';

/** The OpenAPI 3.1 document of the gateway, made from the schemas the services validate with. */
export function openApiDocument() {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) {
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operationOf(route) };
  }
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
      ...ownOperations,
    },
    components: {
      schemas: { Problem: problemSchema, Board: boardSchema },
      headers: headerComponents,
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

function operationOf({ operation, summary, service, schema, answer, errors }: Route): object {
  const parameters = [
    ...parametersIn('path', schema.params),
    ...parametersIn('query', schema.querystring),
    ...parametersIn('header', schema.headers),
    ...parametersIn('header', { properties: commonRequestHeaders }),
  ];
  const content = {
    [answer.mediaType ?? 'application/json']: { schema: answer.schema ?? { type: 'string' } },
  };
  return {
    operationId: operation,
    summary,
    tags: [service],
    parameters,
    ...(schema.body === undefined
      ? {}
      : { requestBody: { required: true, content: { 'application/json': { schema: schema.body } } } }),
    security: [{ bearer: [] }, {}],
    responses: {
      [answer.status]: {
        description: answer.description,
        headers: headersOf('door', answer.headers),
        content,
      },
      ...problems([...errors, ...doorErrors, ...(schema.params === undefined ? [] : pathErrors)]),
    },
  };
}

function parametersIn(place: 'path' | 'query' | 'header', schema: Route['schema']['params']): object[] {
  return Object.entries(schema?.properties ?? {}).map(
    ([name, { description, ...rest }]: [string, { description?: string }]) => ({
      name: place === 'header' ? writtenName(name) : name,
      in: place,
      required: schema?.required?.includes(name) ?? false,
      ...(description === undefined ? {} : { description }),
      schema: rest,
    }),
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
