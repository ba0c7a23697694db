/** Where something happens, by W3C Trace Context (https://www.w3.org/TR/trace-context/): the header `traceparent`. */
export interface TraceContext {
  /** 32 hexadecimal digits. */
  traceId: string;
  /** 16 hexadecimal digits. */
  spanId: string;
  /** Whether who began the trace wants it recorded. */
  sampled: boolean;
}

// What is written today, and by everything here: looked at without taking it apart.
const usual = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;
const usualLength = 55;
// Ids of zeros and version ff mean nothing. A later version may say more behind what is known.
const pattern = /^(?!ff)([0-9a-f]{2})-((?!0{32})[0-9a-f]{32})-((?!0{16})[0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const sampledFlag = 1;

/** Reads a header; undefined when it is absent or malformed, which is never an error. */
export function parseTraceparent(header: unknown): TraceContext | undefined {
  if (typeof header !== 'string') return undefined;
  if (header.length === usualLength && usual.test(header)) {
    const flags = Number.parseInt(header.slice(53), 16);
    return { traceId: header.slice(3, 35), spanId: header.slice(36, 52), sampled: isSampled(flags) };
  }
  const match = pattern.exec(header);
  if (match === null) return undefined;
  const [, version, traceId = '', spanId = '', flags = '', more] = match;
  if (version === '00' && more !== undefined) return undefined;
  return { traceId, spanId, sampled: isSampled(Number.parseInt(flags, 16)) };
}

function isSampled(flags: number): boolean {
  return (flags & sampledFlag) === sampledFlag;
}

/** The header, in the version that everybody reads. */
export function formatTraceparent({ traceId, spanId, sampled }: TraceContext): string {
  return `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`;
}

/** The header as it is passed on; undefined when it is absent or malformed. */
export function traceparentIn(header: unknown): string | undefined {
  const context = parseTraceparent(header);
  return context && formatTraceparent(context);
}

/** What a log line says of it: `trace_id`, or nothing where there is none. */
export function traceFields(header: unknown): { trace_id?: string } {
  const traceId = parseTraceparent(header)?.traceId;
  return traceId === undefined ? {} : { trace_id: traceId };
}
