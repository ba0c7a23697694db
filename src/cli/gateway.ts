import { setTimeout as pause } from 'node:timers/promises';
import { CodedError } from '../platform/errors.ts';
import { type GatewayRequest, type TryOutcome, tryOnce } from './gateway-request.ts';

/** Tries of one request at most, and the time after which no further one begins. */
const triesMax = 5;
const retryMsMax = 10_000;
/** A gateway that refuses every connection is not there: a second look, in case it is just starting. */
const triesUnsentMax = 2;
const firstPauseMs = 200;

/** The gateway as commands use it: each call retries what passes and throws CodedErrors. */
export class Gateway {
  readonly url: string;

  constructor(url: string) {
    this.url = url;
  }

  /** Reads a document. */
  async get<Document>(path: string): Promise<Document> {
    return (await this.#send({ method: 'GET', path })) as Document;
  }

  /**
   * Writes, with the same key at each try. Throws `outcome-unknown` when it may or may not have taken effect.
   */
  async post<Document>(path: string, body: object, idempotencyKey: string): Promise<Document> {
    return (await this.#send({ method: 'POST', path, body, idempotencyKey })) as Document;
  }

  async #send(request: GatewayRequest): Promise<unknown> {
    const deadline = performance.now() + retryMsMax;
    const failures: Exclude<TryOutcome, { kind: 'answered' | 'refused' }>[] = [];
    for (;;) {
      const outcome = await tryOnce(this.url, request);
      if (outcome.kind === 'answered') return outcome.body;
      if (outcome.kind === 'refused') throw outcome.problem;
      failures.push(outcome);
      const unsent = failures.every(({ kind }) => kind === 'never-sent');
      const pauseMs = pauseBefore(failures.length, outcome);
      const late = performance.now() + pauseMs > deadline;
      if (failures.length >= (unsent ? triesUnsentMax : triesMax) || late) {
        throw this.#failure(request, failures);
      }
      await pause(pauseMs);
    }
  }

  #failure(
    request: GatewayRequest,
    failures: Exclude<TryOutcome, { kind: 'answered' | 'refused' }>[],
  ): CodedError {
    const last = failures.at(-1);
    const lost = failures.find(({ kind }) => kind === 'lost');
    if (request.method === 'POST' && lost !== undefined) {
      if (last?.kind === 'lost' && last.problem?.code === 'outcome-unknown') return last.problem;
      const detail = `It is not known whether this took effect: ${lost.reason}, and ${failures.length} tries had no answer.`;
      return new CodedError('outcome-unknown', detail);
    }
    if (last?.kind === 'away' && last.problem !== undefined) return last.problem;
    const detail =
      last?.kind === 'never-sent'
        ? `No gateway answers at ${this.url} (${last.reason}). Start the system with tillbox up, or say where it is with TILLBOX_URL.`
        : `The gateway at ${this.url} does not answer: ${last?.reason}. See tillbox status, and try again.`;
    return new CodedError('unavailable', detail);
  }
}

/** Doubles with each failure; the random half keeps many clients from coming back at the same moment. */
function pauseBefore(failures: number, outcome: TryOutcome): number {
  const pauseMs = firstPauseMs * 2 ** (failures - 1) * (0.5 + Math.random());
  return Math.max(pauseMs, 'retryAfterMs' in outcome ? (outcome.retryAfterMs ?? 0) : 0);
}
