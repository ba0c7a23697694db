import type { IncomingMessage } from 'node:http';
import type { GatewayAccess } from '../../system/gateway-access.ts';
import { GatewayProblem, type ProblemDocument } from './gateway-problem.ts';
import { exchange, type GatewayRequest, readText } from './http-exchange.ts';

/** No final answer, this time. */
export type Failure =
  /** Nothing was sent: there is no connection. */
  | { kind: 'never-sent'; reason: string }
  /** 503, 429 or 408 of the gateway, which stored nothing; or no answer at all, so that it may have taken effect. */
  | {
      kind: 'away' | 'lost';
      reason: string;
      problem?: GatewayProblem;
      retryAfterMs?: number;
    };

/** What became of one try. A problem is final: repeated, the request would be refused again. */
export type TryOutcome =
  | { kind: 'answered'; body: unknown }
  | { kind: 'refused'; problem: GatewayProblem }
  | Failure;

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

/** Refusals that say to try again: away or overloaded, too many requests, and one that did not arrive in time. */
const passingStatuses = new Set([503, 429, 408]);

/** Sends a request once, and waits for the answer for 5 s, or until `signal` aborts. Never rejects. */
export async function tryOnce(
  access: GatewayAccess,
  request: GatewayRequest,
  signal?: AbortSignal,
): Promise<TryOutcome> {
  const timeout = AbortSignal.timeout(answerMsMax);
  try {
    const response = await exchange(access, request, signal ? AbortSignal.any([signal, timeout]) : timeout);
    return outcomeOfAnswer(access.url, response, parsed(await readText(response)));
  } catch (error) {
    return failureOf(error, timeout.aborted);
  }
}

/** What an answer comes to: its head, and its body as JSON if it is. */
export function outcomeOfAnswer(
  url: string,
  { statusCode = 0, headers }: Pick<IncomingMessage, 'statusCode' | 'headers'>,
  body: unknown,
): TryOutcome {
  if (statusCode >= 200 && statusCode < 300 && isObject(body)) return { kind: 'answered', body };
  const retryAfterMs = retryAfterIn(headers['retry-after']);
  if (!isObject(body) || typeof body.code !== 'string') {
    // Not tillbox: a proxy on the way, or some other server at this address.
    const reason = `${url} answered ${statusCode}, and not as tillbox does`;
    return statusCode >= 500
      ? { kind: 'lost', reason, ...retryAfterMs }
      : { kind: 'refused', problem: strangerProblem(reason) };
  }
  const problem = new GatewayProblem(statusCode, body);
  if (!passingStatuses.has(statusCode)) return { kind: 'refused', problem };
  const kind = problem.code === 'outcome-unknown' ? 'lost' : 'away';
  return { kind, problem, reason: problem.message, ...retryAfterMs };
}

/** What an error of a connection comes to. */
export function failureOf(error: unknown, timedOut: boolean): Failure {
  if (timedOut) return { kind: 'lost', reason: `there was no answer within ${answerMsMax / 1_000} s` };
  const { message, code } = error as NodeJS.ErrnoException;
  if (code !== undefined && neverSentCodes.has(code)) return { kind: 'never-sent', reason: code };
  return { kind: 'lost', reason: `the connection broke (${code ?? message})` };
}

function strangerProblem(reason: string): GatewayProblem {
  const detail = `${reason}. Check TILLBOX_URL, or start the system with tillbox up.`;
  return new GatewayProblem(503, { type: 'urn:tillbox:problem:unavailable', code: 'unavailable', detail });
}

/** `Retry-After` in seconds; the form with a date is not one of tillbox. */
function retryAfterIn(header: string | undefined): { retryAfterMs: number } | undefined {
  return header !== undefined && /^\d{1,4}$/.test(header)
    ? { retryAfterMs: Number(header) * 1_000 }
    : undefined;
}

/** The text as JSON; undefined when it is none. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is ProblemDocument {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
