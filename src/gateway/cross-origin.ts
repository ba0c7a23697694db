/** Headers a page may read of an answer, besides those it always may. */
const exposed =
  'Idempotent-Replayed, Location, Preference-Applied, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id';
/** Headers a page may send, besides those it always may. */
const accepted = 'Authorization, Content-Type, Idempotency-Key, Prefer, Traceparent, Last-Event-ID';
/** How long a browser remembers what it may do, in seconds. */
const rememberedSeconds = 600;

/** What pages of other origins may do (CORS): with none configured, nothing, and no answer speaks of it. */
export class CrossOrigin {
  readonly #origins: ReadonlySet<string>;

  constructor(origins: readonly string[]) {
    this.#origins = new Set(origins);
  }

  /** The headers that let a page read the answer. */
  headersFor(origin: string | undefined): Record<string, string> | undefined {
    if (this.#origins.size === 0) return undefined;
    if (origin === undefined || !this.#origins.has(origin)) return { vary: 'Origin' };
    return {
      vary: 'Origin',
      'access-control-allow-origin': origin,
      'access-control-expose-headers': exposed,
    };
  }

  /** The headers that answer a browser's question before a request; undefined when it is no such question. */
  preflightFor(
    method: string | undefined,
    headers: NodeJS.Dict<string | string[]>,
  ): Record<string, string> | undefined {
    const { origin } = headers;
    if (method !== 'OPTIONS' || headers['access-control-request-method'] === undefined) return undefined;
    if (typeof origin !== 'string' || !this.#origins.has(origin)) return undefined;
    return {
      vary: 'Origin',
      'access-control-allow-origin': origin,
      'access-control-allow-methods': 'GET, POST',
      'access-control-allow-headers': accepted,
      'access-control-max-age': String(rememberedSeconds),
    };
  }
}
