import type { Principal } from './principal.ts';
import { tokenMissing, tokenRefused } from './refusals.ts';
import type { CheckedToken } from './tokens.ts';

/** How long a check is believed without another, at most. A check with keys that may be withdrawn says how long. */
const believedMsMax = 300_000;
/** What is remembered of tokens, in characters of headers: some 20,000 tokens. */
const charactersMax = 16_000_000;
/** A longer header is refused unread. */
const headerCharactersMax = 8_192;
/** A JWT: three parts of base64url. `b64token` of RFC 6750 allows more, and no JWT is that. */
const bearerPattern = /^bearer +([\w-]+\.[\w-]+\.[\w-]*)$/i;

/**
 * Tokens as they come in `Authorization` headers. A check costs a signature, some 100 µs; so what was found good
 * is remembered by the whole header, within a bound, and then costs one look into a map.
 */
export class BelievedTokens {
  readonly #check: (token: string) => Promise<CheckedToken>;
  readonly #believed = new Map<string, { principal: Principal; until: number }>();
  readonly #underWay = new Map<string, Promise<Principal>>();
  #characters = 0;

  /** @param check what one token says; rejects for one that counts for nothing */
  constructor(check: (token: string) => Promise<CheckedToken>) {
    this.#check = check;
  }

  /**
   * Who sent a header. Answers at once for one that was checked before.
   * @param now milliseconds since 1970
   * @throws CodedError `unauthenticated`, `forbidden` or `unavailable`
   */
  principalOf(header: string, now: number): Principal | Promise<Principal> {
    const known = this.knownOf(header, now);
    if (known !== undefined) return known;
    if (header.length > headerCharactersMax) throw tokenRefused('it is too long');
    const token = bearerPattern.exec(header)?.[1];
    if (token === undefined)
      throw /^bearer\s/i.test(header) ? tokenRefused('it is not a token') : tokenMissing();
    return this.#checkOnce(header, token, now);
  }

  /** Who sent a header that was checked before; undefined for any other. @param now milliseconds since 1970 */
  knownOf(header: string, now: number): Principal | undefined {
    const known = this.#believed.get(header);
    return known !== undefined && known.until > now ? known.principal : undefined;
  }

  /** How many are remembered. */
  get size(): number {
    return this.#believed.size;
  }

  /** A thousand requests that come with the same new token make one check. */
  #checkOnce(header: string, token: string, now: number): Promise<Principal> {
    const underWay = this.#underWay.get(header);
    if (underWay !== undefined) return underWay;
    const checking = this.#check(token)
      .then(({ principal, believedUntil }) => {
        this.#remember(header, { principal, until: Math.min(believedUntil, now + believedMsMax) });
        return principal;
      })
      .finally(() => this.#underWay.delete(header));
    this.#underWay.set(header, checking);
    return checking;
  }

  #remember(header: string, believed: { principal: Principal; until: number }): void {
    this.#forget(header);
    this.#believed.set(header, believed);
    this.#characters += header.length;
    // A Map keeps the order of its entries: the first is the oldest.
    for (const oldest of this.#believed.keys()) {
      if (this.#characters <= charactersMax) return;
      this.#forget(oldest);
    }
  }

  #forget(header: string): void {
    if (this.#believed.delete(header)) this.#characters -= header.length;
  }
}
