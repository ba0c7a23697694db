import { setTimeout as pause } from 'node:timers/promises';
import { errorOf } from '../gateway/gateway.ts';
import type { Failure } from '../gateway/gateway-request.ts';
import type { BatchWrite } from './batch-line.ts';
import type { BatchConnections } from './connections.ts';

/** A line is tried again for so long: a gateway that is started again is back in seconds. */
const retryMsMax = 30_000;
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
  readonly #giveUp: () => void;

  /**
   * @param options.waitSeconds how long orders may take to become final; undefined to have them as created
   * @param options.stopped aborts when nobody wants to know any more: nothing is tried again
   * @param options.giveUp called when a write had no answer in all the time it may take
   */
  constructor(
    connections: BatchConnections,
    options: { waitSeconds: number | undefined; stopped: AbortSignal; giveUp: () => void },
  ) {
    this.#connections = connections;
    this.#waitSeconds = options.waitSeconds;
    this.#stopped = options.stopped;
    this.#giveUp = options.giveUp;
  }

  /** @throws CodedError the gateway's refusal, or `unavailable` or `outcome-unknown` */
  async send(write: BatchWrite): Promise<BatchAnswer> {
    if (this.#waitSeconds === undefined) return { document: await this.#untilAnswered(write), isLate: false };
    const deadline = performance.now() + this.#waitSeconds * 1_000;
    for (;;) {
      const leftSeconds = Math.max(0, Math.ceil((deadline - performance.now()) / 1_000));
      const document = await this.#untilAnswered(write, Math.min(leftSeconds, heldSecondsMax));
      const isFinal = document.status !== 'NEW';
      if (isFinal || performance.now() >= deadline || this.#stopped.aborted) {
        return { document, isLate: !isFinal };
      }
    }
  }

  async #untilAnswered(write: BatchWrite, waitSeconds?: number): Promise<BatchAnswer['document']> {
    const failures: Failure[] = [];
    const deadline = performance.now() + retryMsMax;
    for (;;) {
      const outcome = await this.#connections.send({ ...write, waitSeconds });
      if (outcome.kind === 'answered') return outcome.body as BatchAnswer['document'];
      if (outcome.kind === 'refused') throw outcome.problem;
      failures.push(outcome);
      const pauseMs = pauseAfter(outcome, failures.length);
      if (this.#stopped.aborted || performance.now() + pauseMs > deadline) {
        // One that is overloaded for so long is there at least; the other lines may be luckier.
        if (!(outcome.kind === 'away' && outcome.problem?.code === 'overloaded')) this.#giveUp();
        throw errorOf(this.#connections.url, 'POST', failures);
      }
      await pause(pauseMs, undefined, { signal: this.#stopped }).catch(() => {});
    }
  }
}

/** Doubles with each failure; its random half keeps many lines from coming back at the same moment. */
function pauseAfter(failure: Failure, failureCount: number): number {
  const ms = Math.min(firstPauseMs * 2 ** Math.min(failureCount - 1, 10), pauseMsMax);
  const pauseMs = ms * (0.5 + Math.random() / 2);
  return Math.max(pauseMs, failure.kind === 'never-sent' ? 0 : (failure.retryAfterMs ?? 0));
}
