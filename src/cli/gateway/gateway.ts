import { setTimeout as pause } from 'node:timers/promises';
import { CodedError } from '../../platform/errors.ts';
import type { GatewayAccess } from '../../system/gateway-access.ts';
import { type Failure, tryOnce } from './gateway-request.ts';
import type { GatewayRequest } from './http-exchange.ts';

/** Tries of one request at most, and the time after which no further one begins. */
const triesMax = 5;
const retryMsMax = 10_000;
/** A gateway that refuses every connection, and that nobody starts again: one second look. */
const triesUnsentMax = 2;
const firstPauseMs = 200;

/** The gateway as commands use it: each call retries what passes and throws CodedErrors. */
export class Gateway {
  readonly url: string;
  readonly access: GatewayAccess;
  readonly #isComingBack: () => Promise<boolean>;

  /** `isComingBack` says whether a gateway that refuses connections is worth waiting for. */
  constructor(access: GatewayAccess, isComingBack: () => Promise<boolean>) {
    this.url = access.url;
    this.access = access;
    this.#isComingBack = isComingBack;
  }

  /** Reads a document. With a signal that aborts, it rejects with `wait-timeout`. */
  async get<Document>(path: string, signal?: AbortSignal): Promise<Document> {
    return (await this.#send({ method: 'GET', path }, signal)) as Document;
  }

  /**
   * Writes, with the same key at each try.
   * @throws CodedError among others `outcome-unknown`, when it may or may not have taken effect
   */
  async post<Document>(path: string, body: object, idempotencyKey: string): Promise<Document> {
    return (await this.#send({ method: 'POST', path, body, idempotencyKey })) as Document;
  }

  async #send(request: GatewayRequest, signal?: AbortSignal): Promise<unknown> {
    const deadline = performance.now() + retryMsMax;
    const failures: Failure[] = [];
    for (;;) {
      const outcome = await tryOnce(this.access, request, signal);
      if (outcome.kind === 'answered') return outcome.body;
      if (outcome.kind === 'refused') throw outcome.problem;
      if (signal?.aborted) throw new CodedError('wait-timeout', 'The wait was over before an answer came.');
      failures.push(outcome);
      const pauseMs = pauseAfter(outcome, failures.length);
      const isLast = failures.length >= triesMax || performance.now() + pauseMs > deadline;
      if (isLast || (await this.#isNotThere(failures))) throw errorOf(this.url, request.method, failures);
      await pause(pauseMs, undefined, signal && { signal }).catch(() => {});
    }
  }

  async #isNotThere(failures: readonly Failure[]): Promise<boolean> {
    if (failures.length < triesUnsentMax) return false;
    return failures.every(({ kind }) => kind === 'never-sent') && !(await this.#isComingBack());
  }
}

/** Doubles with each failure; its random half keeps many clients from coming back at the same moment. */
function pauseAfter(failure: Failure, failureCount: number): number {
  const pauseMs = firstPauseMs * 2 ** (failureCount - 1) * (0.5 + Math.random());
  return Math.max(pauseMs, failure.kind === 'never-sent' ? 0 : (failure.retryAfterMs ?? 0));
}

/** What a request has come to that failed for good. One lost try of a write is enough not to know. */
export function errorOf(url: string, method: 'GET' | 'POST', failures: readonly Failure[]): CodedError {
  const last = failures.at(-1);
  const lost = method === 'POST' && failures.find(({ kind }) => kind === 'lost');
  const problem = last?.kind === 'never-sent' ? undefined : last?.problem;
  if (lost && problem?.code !== 'outcome-unknown') {
    const detail = `It is not known whether this took effect: ${lost.reason}, and no later try had an answer.`;
    return new CodedError('outcome-unknown', detail);
  }
  if (problem !== undefined) return problem;
  const detail =
    last?.kind === 'never-sent'
      ? `No gateway answers at ${url} (${last.reason}). Start the system with tillbox up, or say where it is with TILLBOX_URL.`
      : `The gateway at ${url} does not answer: ${last?.reason}. Look at tillbox status and try again.`;
  return new CodedError('unavailable', detail);
}
