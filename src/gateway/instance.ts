import type { Readable } from 'node:stream';
import { type Dispatcher, Pool } from 'undici';

const connectMsMax = 1_000;
/** An instance that is alive says so at once. */
const aliveMsMax = 400;
const readyMsMax = 2_000;
/** An instance that failed gets no request for so long, unless all have. */
const awayMs = 1_000;
/** For what is read at once, and as many for what is written. */
const connectionsMax = 128;
/** For questions about itself: apart, so that they wait for no request. */
const askingConnectionsMax = 2;
/** For those that wait for an order to become final; each holds a connection for as long as it waits. */
export const waitingConnectionsMax = 1_000;

/** A request as the gateway passes it on. */
export interface Forward {
  method: 'GET' | 'POST';
  /** Path with query string. */
  path: string;
  headers: Record<string, string>;
  body: Buffer | undefined;
  /** Whether doing it twice is the same as doing it once. */
  repeatable: boolean;
  /** When it came (`performance.now()`), if that was not just now: what it waited is gone of its time. */
  since?: number;
  /** Time the upstream may take beyond the usual, because the client asked it to wait. */
  extraMs: number;
  signal?: AbortSignal;
}

/** An upstream's answer. */
export interface WholeAnswer {
  statusCode: number;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
}

/** An upstream's answer; the body is yet to be read. */
export interface Answer {
  statusCode: number;
  headers: Record<string, string | string[] | undefined>;
  body: Readable & {
    arrayBuffer(): Promise<ArrayBuffer>;
    json(): Promise<unknown>;
    dump(): Promise<void>;
  };
}

/** What an instance says about itself or its service. */
export interface Asked {
  statusCode: number;
  answer: unknown;
}

/** One instance of a service: its connections, and whether it is believed to be there. */
export class Instance {
  readonly url: string;
  readonly #readingPool: Dispatcher;
  /** Apart, so that no reader, however many pages they want, keeps an order from coming in. */
  readonly #writingPool: Dispatcher;
  /** Apart, so that those who wait never keep the others from a connection. */
  readonly #waitingPool: Dispatcher;
  readonly #askingPool: Dispatcher;
  /** Requests on their way, without those that wait for an order. */
  pending = 0;
  #awayUntil = 0;
  #returning: NodeJS.Timeout | undefined;

  constructor(url: string) {
    this.url = url;
    this.#readingPool = openPool(url, connectionsMax);
    this.#writingPool = openPool(url, connectionsMax);
    this.#waitingPool = openPool(url, waitingConnectionsMax);
    this.#askingPool = openPool(url, askingConnectionsMax);
  }

  get isAway(): boolean {
    return this.#awayUntil > performance.now();
  }

  /**
   * One try: resolves with what `read` makes of the answer, rejects when there is none within `msMax`, or the
   * instance shows no life after `patienceMs`.
   */
  async send<Result>(
    forward: Forward,
    read: (answer: Answer) => Result | Promise<Result>,
    { msMax, patienceMs }: { msMax: number; patienceMs: number },
  ): Promise<Result> {
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
    const poolAtOnce = method === 'GET' ? this.#readingPool : this.#writingPool;
    const request = (waits ? this.#waitingPool : poolAtOnce).request(options);
    const result = request.then((answer) => read(answer as unknown as Answer));
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
      const probe = () => void this.#says('/livez', aliveMsMax).then((alive) => alive || giveUp());
      if (extraMs > 0) timers.push(setTimeout(probe, Math.max(patienceMs - aliveMsMax, 0)));
    });
    if (!waits) this.pending += 1;
    try {
      const settled = await Promise.race([result, deadline]);
      this.#awayUntil = 0;
      return settled;
    } catch (error) {
      if (!signal?.aborted) this.#leave(hangs(error));
      throw error;
    } finally {
      if (!waits) this.pending -= 1;
      for (const timer of timers) clearTimeout(timer);
      result.catch(() => {});
    }
  }

  /** What it answers to a question about itself; undefined when it does not. */
  async ask(
    path: string,
    { msMax = readyMsMax, headers = {} }: { msMax?: number; headers?: Record<string, string> } = {},
  ): Promise<Asked | undefined> {
    const late = AbortSignal.timeout(msMax);
    // The signal is not heard by who still waits for a connection.
    const tooLate = new Promise<undefined>((resolve) => {
      late.addEventListener('abort', () => resolve(undefined), { once: true });
    });
    const asked = async () => {
      const { statusCode, body } = await this.#askingPool.request({
        method: 'GET',
        path,
        headers,
        signal: late,
      });
      return { statusCode, answer: await body.json() };
    };
    return Promise.race([asked().catch(() => undefined), tooLate]);
  }

  async close(): Promise<void> {
    clearTimeout(this.#returning);
    const pools = [this.#readingPool, this.#writingPool, this.#waitingPool, this.#askingPool];
    await Promise.all(pools.map((pool) => pool.destroy()));
  }

  async #says(path: '/livez' | '/readyz', msMax: number): Promise<boolean> {
    return (await this.ask(path, { msMax }))?.statusCode === 200;
  }

  /** One that hangs costs who asks it all their time: it gets no request until it says that it is ready. */
  #leave(hanging: boolean): void {
    this.#awayUntil = hanging ? Number.POSITIVE_INFINITY : performance.now() + awayMs;
    if (!hanging || this.#returning !== undefined) return;
    const lookAgain = async () => {
      const ready = !this.isAway || (await this.#says('/readyz', aliveMsMax));
      if (ready) this.#awayUntil = 0;
      this.#returning = ready ? undefined : setTimeout(lookAgain, awayMs).unref();
    };
    this.#returning = setTimeout(lookAgain, awayMs).unref();
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

const stranger = 'STRANGER';
const noAnswer = 'NO_ANSWER';
const neverSentInTime = 'NEVER_SENT';

/** Reports an instance that answered nothing but that this is not its gateway. */
export async function refusedAsStranger({ body }: Answer): Promise<never> {
  await body.dump();
  throw Object.assign(new Error('the service does not know this gateway'), { code: stranger });
}

/** Whether that was reported. */
export function isStranger(error: unknown): boolean {
  return (error as { code?: string } | undefined)?.code === stranger;
}

/** Whether the instance took the request and then gave no answer in time. */
export function hangs(error: unknown): boolean {
  return (error as { code?: string }).code === noAnswer;
}

/** Whether the request never arrived: the connection was not even made, or who sends it is not known. */
export function neverSent(error: unknown): boolean {
  const code = (error as { code?: string }).code ?? '';
  return [
    stranger,
    neverSentInTime,
    'ECONNREFUSED',
    'UND_ERR_CONNECT_TIMEOUT',
    'ENOTFOUND',
    'EAI_AGAIN',
    'EHOSTUNREACH',
    'ENETUNREACH',
  ].includes(code);
}
