import type { Readable } from 'node:stream';
import { Pool } from 'undici';
import { CodedError } from '../platform/errors.ts';

/** A service that is away is known to be so in under 3 s. */
const answerMsMax = 2_700;
const connectMsMax = 1_000;
/** An instance that failed gets no request for so long, unless all have. */
const awayMs = 1_000;
const connectionsMax = 128;

/** A request as the gateway passes it on. */
export interface Forward {
  method: 'GET' | 'POST';
  /** Path with query string. */
  path: string;
  headers: Record<string, string>;
  body: Buffer | undefined;
  /** Whether doing it twice is the same as doing it once. */
  repeatable: boolean;
  /** Time the upstream may take beyond the usual, because the client asked it to wait. */
  extraMs: number;
  signal?: AbortSignal;
}

/** An upstream's answer; the body is yet to be read. */
export interface Answer {
  statusCode: number;
  headers: Record<string, string | string[] | undefined>;
  body: Readable & { text(): Promise<string>; json(): Promise<unknown>; dump(): Promise<void> };
}

interface Instance {
  url: string;
  pool: Pool;
  awayUntil: number;
}

/**
 * The instances of one service. Requests are spread over them in turn; one that is away is skipped. A
 * request that never reached an instance goes to the next; one that may have had an effect is repeated only
 * if that is harmless.
 */
export class Upstreams {
  readonly #service: string;
  readonly #instances: Instance[];
  #next = 0;

  /** @param urls base URL of each instance */
  constructor(service: string, urls: readonly string[]) {
    this.#service = service;
    this.#instances = urls.map((url) => ({
      url,
      awayUntil: 0,
      pool: new Pool(url, {
        connections: connectionsMax,
        connect: { timeout: connectMsMax },
        keepAliveTimeout: 60_000,
        // An event stream may be silent between two heartbeats, of which there is one every 15 s.
        bodyTimeout: 40_000,
      }),
    }));
  }

  /** Passes a request on. Throws `unavailable`, or `outcome-unknown` for a write that may have happened. */
  async request(forward: Forward): Promise<Answer> {
    const deadline = performance.now() + answerMsMax + forward.extraMs;
    let sent = false;
    let cause: unknown;
    for (const instance of this.#inTurn()) {
      const leftMs = Math.ceil(deadline - performance.now());
      if (leftMs <= 0) break;
      try {
        const { method, path, headers, signal } = forward;
        const answer = await instance.pool.request({
          method,
          path,
          headers,
          body: forward.body ?? null,
          headersTimeout: leftMs,
          ...(signal === undefined ? {} : { signal }),
        });
        instance.awayUntil = 0;
        return answer as unknown as Answer;
      } catch (error) {
        if (forward.signal?.aborted) throw error;
        cause = error;
        instance.awayUntil = performance.now() + awayMs;
        sent ||= !neverSent(error);
        if (sent && !forward.repeatable) break;
      }
    }
    throw this.#refusal(forward, sent, cause);
  }

  /** Asks every instance the same; an instance that does not answer is undefined. */
  async askAll(path: string): Promise<{ url: string; answer: unknown }[]> {
    return Promise.all(
      this.#instances.map(async ({ url, pool }) => {
        try {
          const { body } = await pool.request({
            method: 'GET',
            path,
            headersTimeout: 2_000,
            bodyTimeout: 2_000,
          });
          return { url, answer: await body.json() };
        } catch {
          return { url, answer: undefined };
        }
      }),
    );
  }

  async close(): Promise<void> {
    await Promise.all(this.#instances.map(({ pool }) => pool.destroy()));
  }

  /** Every instance once, beginning with the next in turn; those believed to be away come last. */
  #inTurn(): Instance[] {
    const { length } = this.#instances;
    this.#next = (this.#next + 1) % length;
    const turn = this.#instances.map(
      (_, index) => this.#instances[(this.#next + index) % length] as Instance,
    );
    const now = performance.now();
    const here = turn.filter(({ awayUntil }) => awayUntil <= now);
    return here.length === length ? turn : [...here, ...turn.filter(({ awayUntil }) => awayUntil > now)];
  }

  #refusal(forward: Forward, sent: boolean, cause: unknown): CodedError {
    if (sent && forward.method === 'POST') {
      const detail = `The ${this.#service} service went away before it answered: the request may have taken effect. Repeat it with the same Idempotency-Key, which is safe.`;
      return new CodedError('outcome-unknown', detail, { cause });
    }
    const detail = `The ${this.#service} service is away. Nothing was stored; try again in a moment.`;
    return new CodedError('unavailable', detail, { cause });
  }
}

/** Whether the request never left: the connection was not even made. */
function neverSent(error: unknown): boolean {
  const code = (error as { code?: string }).code ?? '';
  return [
    'ECONNREFUSED',
    'UND_ERR_CONNECT_TIMEOUT',
    'ENOTFOUND',
    'EAI_AGAIN',
    'EHOSTUNREACH',
    'ENETUNREACH',
  ].includes(code);
}
