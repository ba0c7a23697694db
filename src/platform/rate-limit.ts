/** What a limit says to one request. */
export interface Allowance {
  allowed: boolean;
  /** Requests that may follow at once. */
  remaining: number;
  /** Seconds until all of them may again. */
  resetSeconds: number;
  /** Seconds until the next may, for one that was refused. */
  retryAfterSeconds: number;
}

/** Keys remembered in each of two generations: some 10 MB with all of them in use. */
const keysMax = 50_000;
const windowSeconds = 1;

/**
 * Limits how many requests a second each key may make, with as many at once after a pause (the generic cell rate
 * algorithm: one number a key, the time at which its requests will be paid off). Its memory is bounded: when a
 * generation of keys is full it becomes the old one, and what has not been seen since the one before is forgotten.
 * Who makes keys without end thereby gains nothing that new keys would not give anyway.
 */
export class RateLimit {
  readonly name: string;
  readonly perSecond: number;
  readonly #costMs: number;
  #recent = new Map<string, number>();
  #older = new Map<string, number>();

  /** @param name as the RateLimit headers have it @param perSecond requests a second for each key */
  constructor(name: string, perSecond: number) {
    this.name = name;
    this.perSecond = perSecond;
    this.#costMs = 1_000 / perSecond;
  }

  /** Takes one request of a key, or refuses it. @param now milliseconds, of any clock that never goes back */
  take(key: string, now: number): Allowance {
    const paidOff = Math.max(this.#recent.get(key) ?? this.#older.get(key) ?? now, now);
    const burstMs = windowSeconds * 1_000;
    const next = paidOff + this.#costMs;
    // Half a cost of slack keeps sums of fractions from refusing the last of a burst.
    const allowed = next - now <= burstMs + this.#costMs / 2;
    const owed = (allowed ? next : paidOff) - now;
    if (allowed) this.#remember(key, next);
    return {
      allowed,
      remaining: Math.max(0, Math.floor((burstMs - owed) / this.#costMs + 0.5)),
      resetSeconds: Math.min(windowSeconds, Math.ceil(owed / 1_000)),
      retryAfterSeconds: allowed ? 0 : Math.max(1, Math.ceil((next - now - burstMs) / 1_000)),
    };
  }

  /** Keys remembered now. */
  get size(): number {
    return this.#recent.size + this.#older.size;
  }

  #remember(key: string, paidOff: number): void {
    if (this.#recent.size >= keysMax && !this.#recent.has(key)) {
      this.#older = this.#recent;
      this.#recent = new Map();
    }
    this.#recent.set(key, paidOff);
  }
}

/**
 * The headers of draft-ietf-httpapi-ratelimit-headers-10: for each limit its policy (`q` requests in `w` seconds)
 * and its state (`r` remaining, all of them again after `t` seconds).
 */
export function rateLimitHeaders(
  limits: readonly { limit: RateLimit; allowance: Allowance }[],
): Record<'ratelimit-policy' | 'ratelimit', string> {
  const policies = limits.map(({ limit }) => `"${limit.name}";q=${limit.perSecond};w=${windowSeconds}`);
  const states = limits.map(
    ({ limit, allowance }) => `"${limit.name}";r=${allowance.remaining};t=${allowance.resetSeconds}`,
  );
  return { 'ratelimit-policy': policies.join(', '), ratelimit: states.join(', ') };
}
