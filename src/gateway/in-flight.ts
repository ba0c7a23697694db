import { CodedError } from '../platform/errors.ts';

/** Requests under way at once, of all clients that are counted: event streams and those that wait among them. */
const allMax = 8_000;
/** Of one user: more than any client of one needs, and a small part of what there is room for. */
const ofOneMax = 200;

/** Counts the requests under way, and refuses those for which there is no room. */
export class InFlight {
  readonly #byKey = new Map<string, number>();
  #all = 0;

  /**
   * Counts a request until the function it answers is called.
   * @param key who is counted
   * @throws CodedError `overloaded`, or `rate-limited` for one that has too many
   */
  enter(key: string): () => void {
    if (this.#all >= allMax) {
      const detail = 'The gateway has as much to do as it can. Nothing was stored; try again in a moment.';
      throw new CodedError('overloaded', detail);
    }
    const own = this.#byKey.get(key) ?? 0;
    if (own >= ofOneMax) {
      const detail = `There are ${ofOneMax} requests of this client under way. Let some end first; nothing was stored.`;
      throw new CodedError('rate-limited', detail, { retryAfterSeconds: 1 });
    }
    this.#all += 1;
    this.#byKey.set(key, own + 1);
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#all -= 1;
      this.#leave(key);
    };
  }

  #leave(key: string): void {
    const own = (this.#byKey.get(key) ?? 1) - 1;
    if (own > 0) this.#byKey.set(key, own);
    else this.#byKey.delete(key);
  }

  get size(): number {
    return this.#all;
  }
}
