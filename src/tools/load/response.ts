/** One answer of a server, whole. */
export interface Response {
  status: number;
  /** Status line and headers as they came, without the empty line. */
  head: string;
  body: Buffer;
  /** Whether the connection may carry another request. */
  reusable: boolean;
}

/** A server that does not speak HTTP/1.1 as RFC 9112 has it. */
export class ProtocolError extends Error {}

const [cr, lf] = [13, 10];
const headEnd = Buffer.of(cr, lf, cr, lf);
const lineEnd = Buffer.of(cr, lf);
/** Longest head; Node's own limit for one. */
const headBytesMax = 16_384;
/** Longest body: a page of 500 orders with long descriptions has room many times over. */
const bodyBytesMax = 32 * 1024 * 1024;
const empty = Buffer.alloc(0);

/**
 * Reads the answer to the one request under way from what has arrived since it was sent: a small reader of
 * HTTP/1.1 (RFC 9112, sections 4 and 6) that costs a few microseconds, where a general client costs fifty.
 * @param ended whether the server has closed its side: an answer without a length ends there
 * @returns undefined while the answer is not complete
 * @throws ProtocolError when this is no answer, or one goes on behind its end
 */
export function readResponse(bytes: Buffer, ended = false): Response | undefined {
  let begin = 0;
  for (;;) {
    const end = bytes.indexOf(headEnd, begin);
    if (end === -1 || end - begin > headBytesMax) {
      if (bytes.length - begin > headBytesMax) throw new ProtocolError('a head of over 16 KB');
      return undefined;
    }
    const head = bytes.toString('latin1', begin, end);
    const match = /^HTTP\/1\.([01]) ([1-5]\d\d)/.exec(head);
    if (match === null) throw new ProtocolError('this is not HTTP');
    const status = Number(match[2]);
    begin = end + headEnd.length;
    // 100 Continue and its like come before the answer itself.
    if (status >= 200) return readBody({ bytes, begin, head, status, isOld: match[1] === '0', ended });
  }
}

/** The value of a header; undefined when it is not there. */
export function headerIn(head: string, name: string): string | undefined {
  return new RegExp(`\\r\\n${name}:[ \\t]*([^\\r\\n]*)`, 'i').exec(head)?.[1]?.trimEnd();
}

interface Unread {
  bytes: Buffer;
  begin: number;
  head: string;
  status: number;
  isOld: boolean;
  ended: boolean;
}

function readBody({ bytes, begin, head, status, isOld, ended }: Unread): Response | undefined {
  const reusable = !isOld && !/\r\nconnection:[^\r\n]*close/i.test(head);
  if (status === 204 || status === 304) {
    refuseRest(bytes, begin);
    return { status, head, body: empty, reusable };
  }
  if (/\r\ntransfer-encoding:[^\r\n]*chunked/i.test(head)) {
    const body = readChunks(bytes, begin);
    return body === undefined ? undefined : { status, head, body, reusable };
  }
  const length = /\r\ncontent-length:[ \t]*(\d{1,15})[ \t]*(?:\r\n|$)/i.exec(head)?.[1];
  if (length === undefined) {
    refuseLong(bytes.length - begin);
    return ended ? { status, head, body: bytes.subarray(begin), reusable: false } : undefined;
  }
  const end = begin + Number(length);
  refuseLong(Number(length));
  if (bytes.length < end) return undefined;
  refuseRest(bytes, end);
  return { status, head, body: bytes.subarray(begin, end), reusable };
}

/** The chunked coding of RFC 9112, section 7.1; extensions and trailers are skipped. */
function readChunks(bytes: Buffer, begin: number): Buffer | undefined {
  const chunks: Buffer[] = [];
  let at = begin;
  refuseLong(bytes.length - begin);
  for (;;) {
    const end = bytes.indexOf(lineEnd, at);
    if (end === -1) return undefined;
    const size = /^([0-9a-f]{1,8})[ \t]*(?:;|$)/i.exec(bytes.toString('latin1', at, end))?.[1];
    if (size === undefined) throw new ProtocolError('a chunk without a size');
    const length = Number.parseInt(size, 16);
    refuseLong(length);
    at = end + lineEnd.length;
    if (length === 0) return skipTrailers(bytes, at) ? Buffer.concat(chunks) : undefined;
    if (bytes.length < at + length + lineEnd.length) return undefined;
    if (bytes.toString('latin1', at + length, at + length + lineEnd.length) !== '\r\n') {
      throw new ProtocolError('a chunk longer than its size');
    }
    chunks.push(bytes.subarray(at, at + length));
    at += length + lineEnd.length;
  }
}

function skipTrailers(bytes: Buffer, begin: number): boolean {
  for (let at = begin; ; ) {
    const end = bytes.indexOf(lineEnd, at);
    if (end === -1) return false;
    if (end === at) {
      refuseRest(bytes, end + lineEnd.length);
      return true;
    }
    at = end + lineEnd.length;
  }
}

function refuseLong(length: number): void {
  if (length > bodyBytesMax) throw new ProtocolError(`a body of over ${bodyBytesMax} bytes`);
}

/** Nothing was asked that could be answered behind the answer. */
function refuseRest(bytes: Buffer, end: number): void {
  if (bytes.length > end) throw new ProtocolError('bytes behind the end of the answer');
}
