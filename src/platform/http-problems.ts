import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { CodedError, type ErrorCode, errorCatalogue, type FieldError } from './errors.ts';
import { validationRefusal } from './http-validation.ts';
import type { Logger } from './logging.ts';
import { isConnectionFailure, isNotMigrated, isOutcomeUnknown, isUnavailable } from './postgres-errors.ts';
import { traceFields } from './telemetry/trace-context.ts';

/** Refusals: how every error becomes the answer a client gets. */

/** Bodies are one small object. */
export const bodyBytesMax = 16_384;
/** One part of a path. */
export const partBytesMax = 4_096;
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

/** Answers with the problem document of an error. */
export function sendProblem(request: FastifyRequest, reply: FastifyReply, error: CodedError): FastifyReply {
  const { status } = errorCatalogue[error.code];
  if (error.retryAfterSeconds !== undefined) reply.header('retry-after', error.retryAfterSeconds);
  reply.headers(error.headers);
  const problem = problemOf(error, request.id);
  return reply.code(status).type(problemType).serializer(JSON.stringify).send(problem);
}

/** The same as a whole answer, for who sends it some other way. */
export function problemAnswer(error: CodedError, requestId: string) {
  const headers: Record<string, string> = { 'content-type': problemType };
  if (error.retryAfterSeconds !== undefined) headers['retry-after'] = String(error.retryAfterSeconds);
  const { status } = errorCatalogue[error.code];
  return { status, headers, body: JSON.stringify(problemOf(error, requestId)) };
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

const pathRule = 'must be UTF-8, and every % in it must begin two hexadecimal digits';

const frameworkCodes: Record<string, { code: ErrorCode; detail: string; fields?: FieldError[] }> = {
  FST_ERR_BAD_URL: {
    code: 'validation-failed',
    detail: `path ${pathRule}.`,
    fields: [{ field: 'path', message: pathRule }],
  },
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
  FST_ERR_ROUTE_MISSING_CONTENT_TYPE: {
    code: 'unsupported-media-type',
    detail: 'Send the body as JSON, with the header Content-Type: application/json.',
  },
  FST_ERR_MAX_PARAM_LENGTH: {
    code: 'uri-too-long',
    detail: `A part of the path may have ${partBytesMax} characters at most. Send a shorter one.`,
  },
};

/** What the caller of a route is told of an error, which goes into the log when it is not the caller's. */
export function refusalOf(
  error: Error,
  options: { isWrite: boolean; requestId: string; traceparent?: unknown; log: Logger },
): CodedError {
  const coded = toCodedError(error, options.isWrite);
  const about = () => ({
    err: error,
    request_id: options.requestId,
    ...traceFields(options.traceparent),
  });
  if (coded.code === 'internal') options.log.error(about(), 'request failed');
  else if (errorCatalogue[coded.code].status >= 500) options.log.debug(about(), 'request refused');
  return coded;
}

/** Every error that can reach a route's caller, as one of the catalogue; what is left over is a bug. */
export function toCodedError(error: FastifyError | Error, isWrite: boolean): CodedError {
  if (error instanceof CodedError) return error;
  if ('validation' in error && Array.isArray(error.validation)) return validationRefusal(error.validation);
  const known = 'code' in error ? frameworkCodes[String(error.code)] : undefined;
  if (known !== undefined) {
    return new CodedError(known.code, known.detail, { cause: error, fields: known.fields ?? [] });
  }
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

const notHttp = {
  code: 'malformed-request',
  detail: 'This is not a request in HTTP/1.1. Check what sends it, and its headers.',
} as const;
const socketCodes: Record<string, { code: ErrorCode; detail: string }> = {
  HPE_HEADER_OVERFLOW: {
    code: 'headers-too-large',
    detail: 'Send a shorter path, fewer or shorter headers.',
  },
  HPE_CHUNK_EXTENSIONS_OVERFLOW: {
    code: 'body-too-large',
    detail: 'The chunks of the body have too long extensions. Send it without.',
  },
  ERR_HTTP_REQUEST_TIMEOUT: {
    code: 'request-timeout',
    detail: 'The request did not arrive whole in time. Nothing was stored; send it again.',
  },
};

/** What is not HTTP, or too long to be read, is answered before any route is known, on the socket itself. */
export function refuseUnreadable(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const { code, detail } = socketCodes[error.code ?? ''] ?? notHttp;
  const refusal = new CodedError(code, detail);
  // The rest may still be on its way: closed at once, the answer would be lost.
  if (code !== 'request-timeout') socket.end(wholeAnswer(refusal));
  else if (socket.bytesRead > 0) refuseUnread(socket, refusal);
  // The request may be there, and this process was too busy to read it: it is read before immediates run.
  else setImmediate(() => socket.bytesRead > 0 || refuseUnread(socket, refusal));
}

/** Refuses what may come yet on a connection, and closes it at once: nothing more is read, so the answer stays true. */
export function refuseUnread(socket: Socket, error: CodedError): void {
  socket.write(wholeAnswer(error));
  socket.destroySoon();
}

function wholeAnswer(error: CodedError): string {
  const body = JSON.stringify(problemOf(error, randomUUID()));
  const head = [
    `HTTP/1.1 ${errorCatalogue[error.code].status} Refused`,
    `Content-Type: ${problemType}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...(error.retryAfterSeconds === undefined ? [] : [`Retry-After: ${error.retryAfterSeconds}`]),
    'Connection: close',
  ];
  return `${head.join('\r\n')}\r\n\r\n${body}`;
}
