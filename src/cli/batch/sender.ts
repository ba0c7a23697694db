import { setTimeout as pause } from 'node:timers/promises';
import { CodedError } from '../../platform/errors.ts';
import { errorOf } from '../gateway/gateway.ts';
import type { Failure } from '../gateway/gateway-request.ts';
import type { BatchWrite } from './batch-line.ts';
import type { BatchConnections } from './connections.ts';
import type { GatewayPresence } from './gateway-presence.ts';

/** A gateway that is started again is back in seconds. */
const retryMsDefault = 30_000;
const firstPauseMs = 100;
const pauseMsMax = 2_000;
/** Longest that one answer is held back; asked again, with the same key, it goes on. */
const heldSecondsMax = 20;

/** What the gateway answered. */
export interface BatchAnswer {
  document: { id?: unknown; user_id?: unknown; status?: unknown };
  /** Whether it was to be final, and the time was over before. */
  isLate: boolean;
}

/** Sends the writes of a batch, each with the same key until there is an answer. */
export class BatchSender {
  readonly #connections: BatchConnections;
  readonly #waitSeconds: number | undefined;
  readonly #stopped: AbortSignal;
  readonly #presence: GatewayPresence;
  readonly #retryMs: number;

  /**
   * @param options.waitSeconds how long orders may take to become final; undefined to have them as created
   * @param options.stopped aborts when nobody wants to know any more: nothing is tried again
   * @param options.retryMs a line is tried again for so long (default: 30 s)
   * @param options.presence given up when a write had no answer in all the time it may take
   */
  constructor(
    connections: BatchConnections,
    options: {
      waitSeconds: number | undefined;
      stopped: AbortSignal;
      presence: GatewayPresence;
      retryMs?: number;
    },
  ) {
    this.#connections = connections;
    this.#waitSeconds = options.waitSeconds;
    this.#stopped = options.stopped;
    this.#presence = options.presence;
    this.#retryMs = options.retryMs ?? retryMsDefault;
  }

  /** @throws CodedError the gateway's refusal, or `unavailable` or `outcome-unknown` */
  async send(write: BatchWrite): Promise<BatchAnswer> {
    await this.#presence.firstLook();
    if (this.#waitSeconds === undefined) return { document: await this.#untilAnswered(write), isLate: false };
    const deadline = performance.now() + this.#waitSeconds * 1_000;
    let seen: BatchAnswer['document'] | undefined;
    for (;;) {
      const leftSeconds = Math.max(0, Math.ceil((deadline - performance.now()) / 1_000));
      try {
        seen = await this.#untilAnswered(write, Math.min(leftSeconds, heldSecondsMax));
      } catch (error) {
        // It was accepted; that nobody says what became of it is no failure of it.
        if (seen !== undefined) return { document: seen, isLate: true };
        throw error;
      }
      const isFinal = seen.status !== 'NEW';
      if (isFinal || performance.now() >= deadline || this.#stopped.aborted) {
        return { document: seen, isLate: !isFinal };
      }
    }
  }

  async #untilAnswered(write: BatchWrite, waitSeconds?: number): Promise<BatchAnswer['document']> {
    if (this.#presence.away.aborted) throw notSent(this.#connections.url);
    const failures: Failure[] = [];
    const deadline = performance.now() + this.#retryMs;
    for (;;) {
      const outcome = await this.#connections.send({ ...write, waitSeconds });
      if (outcome.kind === 'answered') return outcome.body as BatchAnswer['document'];
      if (outcome.kind === 'refused') throw outcome.problem;
      failures.push(outcome);
      const error = errorOf(this.#connections.url, 'POST', failures);
      const pauseMs = pauseAfter(outcome, failures.length);
      if (performance.now() + pauseMs > deadline) {
        // One that is overloaded for so long is there at least; the other lines may be luckier.
        if (error.code !== 'overloaded') {
          this.#presence.giveUp(errorOf(this.#connections.url, 'GET', failures));
        }
        throw error;
      }
      const signal = AbortSignal.any([this.#stopped, this.#presence.away]);
      await pause(pauseMs, undefined, { signal }).catch(() => {});
      if (signal.aborted) throw error;
    }
  }
}

function notSent(url: string): CodedError {
  return new CodedError('unavailable', `The gateway at ${url} is away. Nothing was sent.`);
}

/** Doubles with each failure; its random half keeps many lines from coming back at the same moment. */
function pauseAfter(failure: Failure, failureCount: number): number {
  const ms = Math.min(firstPauseMs * 2 ** Math.min(failureCount - 1, 10), pauseMsMax);
  const pauseMs = ms * (0.5 + Math.random() / 2);
  return Math.max(pauseMs, failure.kind === 'never-sent' ? 0 : (failure.retryAfterMs ?? 0));
}
