import { type Dispatcher, Pool } from 'undici';
import { unansweredMax } from '../../platform/http-pipelining.ts';
import type { GatewayAccess } from '../../system/gateway-access.ts';
import { trustOnly } from '../../system/pinned-certificate.ts';
import { failureOf, outcomeOfAnswer, parsed, type TryOutcome } from '../gateway/gateway-request.ts';

/** Connections that many requests share, one behind the other on each: with more, the gateway works for nothing. */
const sharedConnections = 8;
/** Longest wait for an answer, beyond what it was asked to wait. The gateway gives up after 3 s. */
const answerMsMax = 10_000;
const answerBytesMax = 1024 * 1024;

/** A write as it is sent again and again. */
export interface BatchRequest {
  path: string;
  /** JSON. */
  body: string;
  idempotencyKey: string;
  /** The answer is held back until the order is final, or for so long; undefined to have it at once. */
  waitSeconds: number | undefined;
}

/**
 * Kept-alive connections to the gateway for many writes. Every write has a key, so that it is as harmless to
 * send requests behind each other (pipelining) as to repeat them.
 */
export class BatchConnections {
  readonly #pool: Pool;
  /** The gateway's. */
  readonly url: string;
  readonly #prefix: string;
  readonly #authorization: Record<string, string>;

  /** @param options.holdsBack whether answers are held back; then no request may wait behind another */
  constructor(
    { url, token, certificate }: GatewayAccess,
    { inFlight, holdsBack }: { inFlight: number; holdsBack: boolean },
  ) {
    const { origin, pathname } = new URL(url);
    // More where the gateway would take a connection with so many requests for a flood.
    const shared = Math.max(sharedConnections, Math.ceil(inFlight / unansweredMax));
    const connections = holdsBack ? inFlight : Math.min(inFlight, shared);
    this.url = url;
    this.#authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
    this.#prefix = pathname.replace(/\/$/, '');
    this.#pool = new Pool(origin, {
      connections,
      pipelining: Math.ceil(inFlight / connections),
      connect: { timeout: 5_000, ...(certificate === undefined ? {} : trustOnly(certificate)) },
      bodyTimeout: answerMsMax,
    });
  }

  /** Sends a write once. Never rejects. */
  send(request: BatchRequest): Promise<TryOutcome> {
    const { path, body, idempotencyKey, waitSeconds } = request;
    const headers: Record<string, string> = {
      ...this.#authorization,
      accept: 'application/json',
      'content-type': 'application/json',
      'idempotency-key': idempotencyKey,
    };
    if (waitSeconds !== undefined) headers['prefer'] = `wait=${waitSeconds}`;
    const options: Dispatcher.DispatchOptions = {
      method: 'POST',
      path: this.#prefix + path,
      headers,
      body,
      idempotent: true,
      blocking: false,
      headersTimeout: answerMsMax + (waitSeconds ?? 0) * 1_000,
    };
    return new Promise((resolve) => this.#pool.dispatch(options, new AnswerHandler(this.url, resolve)));
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}

/** Collects one answer. */
class AnswerHandler implements Dispatcher.DispatchHandler {
  readonly #url: string;
  readonly #resolve: (outcome: TryOutcome) => void;
  #statusCode = 0;
  #retryAfter: string | undefined;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(url: string, resolve: (outcome: TryOutcome) => void) {
    this.#url = url;
    this.#resolve = resolve;
  }

  onRequestStart(): void {}

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    statusCode: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    this.#statusCode = statusCode;
    this.#retryAfter = headers['retry-after'] as string | undefined;
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes > answerBytesMax) controller.abort(new Error('the answer is too long'));
  }

  onResponseEnd(): void {
    const head = { statusCode: this.#statusCode, headers: { 'retry-after': this.#retryAfter } };
    const text = Buffer.concat(this.#chunks).toString('utf8');
    this.#resolve(outcomeOfAnswer(this.#url, head, parsed(text)));
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#resolve(failureOf(error, false));
  }
}
