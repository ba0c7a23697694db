import { GatewayProblem, type ProblemDocument } from './gateway-problem.ts';

/** One request to the gateway. */
export interface GatewayRequest {
  method: 'GET' | 'POST';
  /** Path and query, from the root of the gateway. */
  path: string;
  /** Sent as JSON. */
  body?: object;
  idempotencyKey?: string;
}

/**
 * What became of one try: a final answer; not sent at all; a refusal that passes and has stored nothing;
 * no answer, so that it may or may not have taken effect.
 */
export type TryOutcome =
  | { kind: 'answered'; body: unknown }
  | { kind: 'refused'; problem: GatewayProblem }
  | { kind: 'never-sent'; reason: string }
  | { kind: 'away'; problem: GatewayProblem | undefined; reason: string; retryAfterMs: number | undefined }
  | { kind: 'lost'; problem: GatewayProblem | undefined; reason: string; retryAfterMs: number | undefined };

/** Longest wait for one answer. The gateway itself gives up on what is behind it in under 3 s. */
const answerMsMax = 5_000;

/** Errors of a connection that was never there: nothing was sent. */
const neverSentCodes = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** Sends a request once. Never rejects. */
export async function tryOnce(url: string, request: GatewayRequest): Promise<TryOutcome> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(url + request.path, {
      method: request.method,
      redirect: 'manual',
      signal: AbortSignal.timeout(answerMsMax),
      headers: headersOf(request),
      ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
    });
    text = await response.text();
  } catch (error) {
    return outcomeOfFailure(error);
  }
  return outcomeOfAnswer(response, parsed(text), url);
}

function headersOf({ body, idempotencyKey }: GatewayRequest): Record<string, string> {
  return {
    accept: 'application/json',
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
  };
}

function outcomeOfAnswer(response: Response, body: unknown, url: string): TryOutcome {
  const { status, headers } = response;
  if (response.ok && isObject(body)) return { kind: 'answered', body };
  const problem = isObject(body) && typeof body['code'] === 'string' ? body : undefined;
  const retryAfterMs = retryAfterIn(headers.get('retry-after'));
  if (problem === undefined) {
    // Not tillbox: a proxy on the way, or some other server at this address.
    const reason = `${url} answered ${status}, and not as tillbox does`;
    return status >= 500
      ? { kind: 'lost', problem: undefined, reason, retryAfterMs }
      : { kind: 'refused', problem: strangerProblem(reason) };
  }
  const refusal = new GatewayProblem(status, problem);
  if (status !== 503) return { kind: 'refused', problem: refusal };
  const kind = refusal.code === 'outcome-unknown' ? 'lost' : 'away';
  return { kind, problem: refusal, reason: refusal.message, retryAfterMs };
}

function outcomeOfFailure(error: unknown): TryOutcome {
  if (error instanceof Error && error.name === 'TimeoutError') {
    const reason = `the gateway did not answer within ${answerMsMax / 1_000} s`;
    return { kind: 'lost', problem: undefined, reason, retryAfterMs: undefined };
  }
  const cause = error instanceof Error ? (error.cause as NodeJS.ErrnoException | undefined) : undefined;
  const code = cause?.code;
  // fetch refuses some ports itself, before it connects.
  if (cause?.message === 'bad port') return { kind: 'never-sent', reason: 'fetch allows no such port' };
  const reason = code ?? cause?.message ?? String(error);
  return code !== undefined && neverSentCodes.has(code)
    ? { kind: 'never-sent', reason }
    : {
        kind: 'lost',
        problem: undefined,
        reason: `the connection broke (${reason})`,
        retryAfterMs: undefined,
      };
}

function strangerProblem(reason: string): GatewayProblem {
  const detail = `${reason}. Check TILLBOX_URL, or start the system with tillbox up.`;
  return new GatewayProblem(503, { type: 'urn:tillbox:problem:unavailable', code: 'unavailable', detail });
}

/** `Retry-After` in its form in seconds; the form with a date is not used by tillbox. */
function retryAfterIn(header: string | null): number | undefined {
  return header !== null && /^\d{1,4}$/.test(header) ? Number(header) * 1_000 : undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is ProblemDocument {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
