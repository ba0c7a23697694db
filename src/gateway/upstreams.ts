import type { Readable } from 'node:stream';
import { type Dispatcher, Pool } from 'undici';
import { CodedError } from '../platform/errors.ts';

/** A service that is away is known to be so in under 3 s, on a busy machine too. */
const answerMsMax = 2_500;
const connectMsMax = 1_000;
/** An instance that is alive says so at once. */
const aliveMsMax = 400;
/** An instance that failed gets no request for so long, unless all have. */
const awayMs = 1_000;
/** For requests that are answered at once. */
const connectionsMax = 128;
/** For those that wait for an order to become final; each holds a connection for as long as it waits. */
const waitingConnectionsMax = 1_000;

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
  pool: Dispatcher;
  /** Apart, so that those who wait never keep the others from a connection. */
  waitingPool: Dispatcher;
  awayUntil: number;
}

/**
 * The instances of one service. Requests are spread over them in turn; one that is away is skipped. A
 * request that never reached an instance goes to the next; one that may have had an effect is repeated only
 * if that is harmless, at the same instance when there is no other.
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
      pool: openPool(url, connectionsMax),
      waitingPool: openPool(url, waitingConnectionsMax),
    }));
  }

  /** Passes a request on. Throws `unavailable`, or `outcome-unknown` for a write that may have happened. */
  async request(forward: Forward): Promise<Answer> {
    const deadline = performance.now() + answerMsMax + forward.extraMs;
    const turn = this.#inTurn();
    const tries = forward.repeatable ? [...turn, ...turn] : turn;
    const hanging = new Set<Instance>();
    let sent = false;
    let cause: unknown;
    for (const [index, instance] of tries.entries()) {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) break;
      // The second round is for those that were cut off, not for those that hang.
      if (hanging.has(instance)) continue;
      // An instance that hangs must leave time to ask another.
      const others = this.#instances.length - 1 - index;
      const patienceMs = others > 0 && forward.repeatable ? answerMsMax / (others + 1) : answerMsMax;
      try {
        const answer = await send(
          instance,
          forward,
          Math.min(leftMs, forward.extraMs + patienceMs),
          patienceMs,
        );
        instance.awayUntil = 0;
        if (!sent || answer.statusCode < 500) return answer;
        // This instance did not do it; the one that gave no answer may still.
        await answer.body.dump();
        break;
      } catch (error) {
        if (forward.signal?.aborted) throw error;
        cause = error;
        instance.awayUntil = performance.now() + awayMs;
        sent ||= !neverSent(error);
        if ((error as { code?: string }).code === noAnswer) hanging.add(instance);
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
    const pools = this.#instances.flatMap(({ pool, waitingPool }) => [pool, waitingPool]);
    await Promise.all(pools.map((pool) => pool.destroy()));
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
    const detail = `The ${this.#service} service is away or overloaded. Nothing was stored; try again in a moment.`;
    return new CodedError('unavailable', detail, { cause });
  }
}

/** What `send` tells a pool besides what undici knows. */
interface SendOptions extends Dispatcher.RequestOptions {
  /** Called when the request leaves for the service, after it may have waited for a connection. */
  onSent: () => void;
}

const announceSending: Dispatcher.DispatcherComposeInterceptor = (dispatch) => (options, handler) => {
  const { onRequestStart } = handler;
  handler.onRequestStart = function (...started) {
    (options as unknown as SendOptions).onSent?.();
    return onRequestStart?.apply(this, started);
  };
  return dispatch(options, handler);
};

function openPool(url: string, connections: number): Dispatcher {
  const pool = new Pool(url, {
    connections,
    connect: { timeout: connectMsMax },
    keepAliveTimeout: 60_000,
    // Kept by `send`, to the millisecond.
    headersTimeout: 0,
    // An event stream may be silent between two heartbeats, of which there is one every 15 s.
    bodyTimeout: 40_000,
  });
  return pool.compose(announceSending);
}

/**
 * One try: resolves when the answer begins, rejects when it has not begun within `msMax`, or the instance shows
 * no life after `patienceMs`.
 */
async function send(
  instance: Instance,
  forward: Forward,
  msMax: number,
  patienceMs: number,
): Promise<Answer> {
  const { method, path, headers, body, extraMs, signal } = forward;
  const waits = extraMs > 0 || signal !== undefined;
  const tooLate = new AbortController();
  const abort = () => tooLate.abort();
  signal?.addEventListener('abort', abort, { once: true });
  let sent = false;
  const options: SendOptions = {
    method,
    path,
    headers,
    body: body ?? null,
    signal: tooLate.signal,
    onSent: () => {
      sent = true;
    },
  };
  const request = (waits ? instance.waitingPool : instance.pool).request(options);
  const timers: NodeJS.Timeout[] = [];
  // A request that still waits for a connection does not hear the signal; so the time is kept here as well.
  const deadline = new Promise<never>((_resolve, reject) => {
    const giveUp = () => {
      const code = sent ? noAnswer : neverSentInTime;
      reject(Object.assign(new Error('no answer in time'), { code }));
      // One that waits for a connection is dropped when its turn comes.
      abort();
    };
    timers.push(setTimeout(giveUp, msMax));
    // Who asked to wait waits for an order, not for an instance that hangs.
    const probe = () => void isAlive(instance).then((alive) => alive || giveUp());
    if (extraMs > 0) timers.push(setTimeout(probe, patienceMs - aliveMsMax));
  });
  try {
    return (await Promise.race([request, deadline])) as unknown as Answer;
  } finally {
    for (const timer of timers) clearTimeout(timer);
    request.catch(() => {});
  }
}

/** Whether an instance answers at all; what stands behind it does not matter. */
async function isAlive({ pool }: Instance): Promise<boolean> {
  const late = new Promise<never>((_resolve, reject) => {
    setTimeout(() => reject(new Error('not alive in time')), aliveMsMax).unref();
  });
  try {
    const { body } = await Promise.race([pool.request({ method: 'GET', path: '/livez' }), late]);
    await body.dump();
    return true;
  } catch {
    return false;
  }
}

const noAnswer = 'NO_ANSWER';
const neverSentInTime = 'NEVER_SENT';

/** Whether the request never left: the connection was not even made. */
function neverSent(error: unknown): boolean {
  const code = (error as { code?: string }).code ?? '';
  return [
    neverSentInTime,
    'ECONNREFUSED',
    'UND_ERR_CONNECT_TIMEOUT',
    'ENOTFOUND',
    'EAI_AGAIN',
    'EHOSTUNREACH',
    'ENETUNREACH',
  ].includes(code);
}
