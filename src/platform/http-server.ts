import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import fastify, {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify';
import { CodedError, type ErrorCode, errorCatalogue, type FieldError } from './errors.ts';
import { parseJsonBody } from './http-json.ts';
import type { Logger } from './logging.ts';
import { isConnectionFailure, isNotMigrated, isOutcomeUnknown, isUnavailable } from './postgres-errors.ts';

/** Bodies are one small object. */
export const bodyBytesMax = 16_384;
const urlBytesMax = 4_096;
const requestMsMax = 10_000;
const problemType = 'application/problem+json';

/** A problem document (RFC 9457) as every refusal is answered. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  code: ErrorCode;
  detail: string;
  request_id: string;
  errors?: FieldError[];
}

/**
 * The base of every HTTP server of ours: JSON only, limits on everything, problem documents for every
 * refusal, request ids, `/livez`.
 * @param options.bodies what a route gets: the parsed value, or for one that only passes it on the bytes
 */
export function createHttpServer(options: { log: Logger; bodies: 'json' | 'bytes' }): FastifyInstance {
  const app = fastify({
    logger: false,
    bodyLimit: bodyBytesMax,
    requestTimeout: requestMsMax,
    keepAliveTimeout: 65_000,
    forceCloseConnections: 'idle',
    // While closing, what arrives on a connection that is still open is answered as ever, and the connection closed.
    return503OnClosing: false,
    genReqId: (request) => requestIdIn(request.headers['x-request-id']) ?? randomUUID(),
    routerOptions: { maxParamLength: urlBytesMax, ignoreTrailingSlash: false },
    ajv: {
      customOptions: {
        // Fastify's defaults turn null into 0 and drop unknown fields: both must be refused.
        coerceTypes: false,
        removeAdditional: false,
        useDefaults: false,
        allErrors: true,
        verbose: true,
        allowUnionTypes: true,
        formats: { 'storable-text': isStorable },
      },
    },
    clientErrorHandler: refuseUnreadable,
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => {
    try {
      done(null, options.bodies === 'bytes' ? body : parseJsonBody(body as Buffer));
    } catch (error) {
      done(error as Error);
    }
  });
  app.setErrorHandler((error: FastifyError | Error, request, reply) => {
    const coded = toCodedError(error, request.method !== 'GET' && request.method !== 'HEAD');
    if (coded.code === 'internal')
      options.log.error({ err: error, request_id: request.id }, 'request failed');
    else if (errorCatalogue[coded.code].status >= 500) {
      options.log.debug({ err: error, request_id: request.id }, 'request refused');
    }
    return sendProblem(request, reply, coded);
  });
  app.setNotFoundHandler((request, reply) => {
    const detail = `There is no ${request.method} ${request.url.slice(0, 200)}. See /docs for the routes.`;
    return sendProblem(request, reply, new CodedError('route-not-found', detail));
  });
  app.get('/livez', () => ({ alive: true }));
  return app;
}

/** Begins to listen; answers the URL. Throws `conflict` when the port is taken. */
export async function listen(app: FastifyInstance, host: string, port: number): Promise<string> {
  try {
    return await app.listen({ host, port });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code !== 'EADDRINUSE' && code !== 'EACCES' && code !== 'EADDRNOTAVAIL') throw cause;
    const reason = code === 'EADDRINUSE' ? 'is taken by another program' : `cannot be used (${code})`;
    throw new CodedError('conflict', `Port ${port} of ${host} ${reason}. Set another one.`, { cause });
  }
}

/** Answers with the problem document of an error. */
export function sendProblem(request: FastifyRequest, reply: FastifyReply, error: CodedError): FastifyReply {
  const { status } = errorCatalogue[error.code];
  if (error.retryAfterSeconds !== undefined) reply.header('retry-after', error.retryAfterSeconds);
  const problem = problemOf(error, request.id);
  return reply.code(status).type(problemType).serializer(JSON.stringify).send(problem);
}

/** The problem document of an error. */
export function problemOf(error: CodedError, requestId: string): Problem {
  const { status, title } = errorCatalogue[error.code];
  return {
    type: `urn:tillbox:problem:${error.code}`,
    title,
    status,
    code: error.code,
    detail: error.message,
    request_id: requestId,
    ...(error.fields.length > 0 ? { errors: [...error.fields] } : {}),
  };
}

const frameworkCodes: Record<string, { code: ErrorCode; detail: string }> = {
  FST_ERR_CTP_BODY_TOO_LARGE: {
    code: 'body-too-large',
    detail: `The body may have ${bodyBytesMax} bytes at most. Send a smaller one.`,
  },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: {
    code: 'unsupported-media-type',
    detail: 'Send the body as JSON, with the header Content-Type: application/json.',
  },
  FST_ERR_CTP_EMPTY_JSON_BODY: { code: 'malformed-json', detail: 'The body is empty. Send one JSON object.' },
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: {
    code: 'malformed-json',
    detail: 'The body is not as long as Content-Length says. Send it again, whole.',
  },
  FST_ERR_BAD_URL: { code: 'route-not-found', detail: 'The path is not well-formed.' },
};

/** Every error that can reach a route's caller, as one of the catalogue; what is left over is a bug. */
function toCodedError(error: FastifyError | Error, isWrite: boolean): CodedError {
  if (error instanceof CodedError) return error;
  if ('validation' in error && Array.isArray(error.validation))
    return validationRefusal(error as FastifyError);
  const known = 'code' in error ? frameworkCodes[String(error.code)] : undefined;
  if (known !== undefined) return new CodedError(known.code, known.detail, { cause: error });
  if (isWrite && isOutcomeUnknown(error)) {
    const detail =
      'The database went away before it answered: the request may have taken effect. Repeat it with the same Idempotency-Key, which is safe.';
    return new CodedError('outcome-unknown', detail, { cause: error });
  }
  if (isUnavailable(error) || isNotMigrated(error) || isConnectionFailure(error)) {
    const detail = 'The database is away or overloaded. Nothing was stored; try again in a moment.';
    return new CodedError('unavailable', detail, { cause: error });
  }
  return new CodedError(
    'internal',
    'This is a bug in tillbox. The log has the details under this request_id.',
    {
      cause: error,
    },
  );
}

/** Names each field that breaks a rule, with the rule: the `description` of its schema. */
function validationRefusal(error: FastifyError): CodedError {
  const byField = new Map<string, string>();
  for (const { keyword, instancePath, params, parentSchema } of error.validation as AjvError[]) {
    const path = instancePath.slice(1).replaceAll('/', '.');
    if (keyword === 'additionalProperties') {
      byField.set(
        joinPath(path, String(params['additionalProperty'])),
        'is not a field of this request; leave it out',
      );
    } else if (keyword === 'required') {
      byField.set(joinPath(path, String(params['missingProperty'])), 'is missing');
    } else if (path === '') {
      byField.set('body', 'must be a JSON object');
    } else {
      byField.set(path, String(parentSchema?.['description'] ?? 'breaks a rule'));
    }
  }
  const fields = [...byField].map(([field, message]) => ({ field: field.slice(0, 100), message }));
  const detail = `${fields.map(({ field, message }) => `${field} ${message}`).join('; ')}.`;
  return new CodedError('validation-failed', detail.slice(0, 1_000), { fields: fields.slice(0, 20) });
}

interface AjvError {
  keyword: string;
  instancePath: string;
  params: Record<string, unknown>;
  parentSchema?: Record<string, unknown>;
}

function joinPath(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}

/** Text that Postgres can store: no NUL, no lone surrogate. */
function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0');
}

function requestIdIn(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' && /^[A-Za-z0-9_-]{1,64}$/.test(header) ? header : undefined;
}

/** What is not HTTP, or too long to be read, is answered before any route is known, on the socket itself. */
function refuseUnreadable(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const code = error.code === 'HPE_HEADER_OVERFLOW' ? 'headers-too-large' : 'malformed-json';
  const detail =
    code === 'headers-too-large' ? 'Send fewer or shorter headers.' : 'This is not a request in HTTP/1.1.';
  const body = JSON.stringify(problemOf(new CodedError(code, detail), randomUUID()));
  const { status } = errorCatalogue[code];
  socket.end(
    `HTTP/1.1 ${status} Refused\r\nContent-Type: ${problemType}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
