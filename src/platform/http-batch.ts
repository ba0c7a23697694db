import { maxHeaderSize as headerBytesMax } from 'node:http';
import { CodedError } from './errors.ts';
import { bodyBytesMax } from './http-problems.ts';

/**
 * Many requests to one route, or their answers, in the body of a single one between gateway and service: a
 * request of its own for each costs several times what is in it. A batch is a line of JSON, `[[head, bytes], …]`,
 * and behind it the bodies, one after the other, as they are: nobody on the way has to read them.
 */

/** The media type of a batch. Nothing but a batch has it, and no client can send it through the gateway. */
export const batchMediaType = 'application/vnd.tillbox.batch';
/** Requests in a batch at most. */
export const batchSizeMax = 250;

/** Bytes of a batch at most: of each request its body, and its headers in twice the bytes they had. */
export const batchBytesMax = batchSizeMax * (bodyBytesMax + 2 * headerBytesMax);

/** One request of a batch. */
export interface BatchedRequest {
  /** Names in lower case. */
  headers: Record<string, string>;
  body: Buffer;
}

/** The answer to one request of a batch, at the same place. */
export interface BatchedAnswer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** The body of a batch of requests. */
export function encodeRequests(requests: readonly BatchedRequest[]): Buffer {
  const heads = requests.map(({ headers, body }) => [headers, body.length]);
  return Buffer.concat([Buffer.from(`${JSON.stringify(heads)}\n`), ...requests.map(({ body }) => body)]);
}

/** The requests in the body of a batch. @throws CodedError `malformed-request` */
export function decodeRequests(batch: Buffer): BatchedRequest[] {
  return decode(batch, isHeaders).map(({ head, body }) => ({ headers: head, body }));
}

/** The body of a batch of answers. */
export function encodeAnswers(answers: readonly BatchedAnswer[]): Buffer {
  const heads = answers.map(({ status, headers, body }) => [{ status, headers }, Buffer.byteLength(body)]);
  return Buffer.from(`${JSON.stringify(heads)}\n${answers.map(({ body }) => body).join('')}`);
}

/** The answers in the body of a batch, `count` of them. @throws CodedError `malformed-request` */
export function decodeAnswers(batch: Buffer, count: number): BatchedAnswer[] {
  const answers = decode(batch, isAnswerHead).map(({ head: { status, headers }, body }) => ({
    status,
    headers,
    // Node sends a head and a text with one write, a head and bytes with two.
    body: body.toString(),
  }));
  if (answers.length !== count) throw malformed(`holds ${answers.length} answers to ${count} requests`);
  return answers;
}

function decode<Head>(
  batch: Buffer,
  isHead: (head: unknown) => head is Head,
): { head: Head; body: Buffer }[] {
  let end = batch.indexOf('\n') + 1;
  const parts = parseLine(batch.subarray(0, end)).map((part: unknown) => {
    const [head, bytes] = Array.isArray(part) ? part : [];
    if (!isHead(head) || !Number.isSafeInteger(bytes) || bytes < 0)
      throw malformed('has a head that is none');
    const begin = end;
    end += bytes;
    return { head, body: batch.subarray(begin, end) };
  });
  if (end !== batch.length) throw malformed('is not as long as it says');
  return parts;
}

function parseLine(line: Buffer): unknown[] {
  let heads: unknown;
  try {
    heads = JSON.parse(line.toString());
  } catch {
    throw malformed('does not begin with a line of JSON');
  }
  if (!Array.isArray(heads) || heads.length === 0 || heads.length > batchSizeMax) {
    throw malformed(`does not hold 1 to ${batchSizeMax} parts`);
  }
  return heads;
}

function isHeaders(head: unknown): head is Record<string, string> {
  if (typeof head !== 'object' || head === null || Array.isArray(head)) return false;
  for (const name in head) if (typeof (head as Record<string, unknown>)[name] !== 'string') return false;
  return true;
}

function isAnswerHead(head: unknown): head is { status: number; headers: Record<string, string> } {
  const { status, headers } = (head ?? {}) as { status?: unknown; headers?: unknown };
  return Number.isInteger(status) && isHeaders(headers);
}

function malformed(what: string): CodedError {
  return new CodedError('malformed-request', `The batch ${what}.`);
}
