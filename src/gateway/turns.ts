import { CodedError } from '../platform/errors.ts';

/** Requests of one client that are with a service at once: enough to keep it busy, few of the connections there are. */
const atOnceMax = 16;
/** Who has waited for so long waits for a service that hangs; it is told while it still listens. */
const waitMsMax = 1_500;

/** One that waits: called when its turn comes. */
type Waiting = () => void;

/** The requests of each client in turn: so many at once, the others wait behind their own and nobody else's. */
export class Turns {
  readonly #atOnceMax: number;
  readonly #waitMsMax: number;
  readonly #byClient = new Map<string, { under: number; waiting: Set<Waiting> }>();

  /** @param limits how many of each client at once, and how long others wait, in milliseconds */
  constructor(limits: { atOnce?: number; waitMs?: number } = {}) {
    this.#atOnceMax = limits.atOnce ?? atOnceMax;
    this.#waitMsMax = limits.waitMs ?? waitMsMax;
  }

  /** How many clients have requests under way. */
  get size(): number {
    return this.#byClient.size;
  }

  /**
   * Does something when it is its turn; answers what it answers. How many may wait is for the caller to limit.
   * @param gone asked when there is a wait; aborts when nobody wants it any more
   * @throws CodedError `overloaded` when its turn does not come, or nobody wants it: then nothing was done
   */
  async take<Result>(client: string, work: () => Promise<Result>, gone: () => AbortSignal): Promise<Result> {
    const own = this.#byClient.get(client) ?? { under: 0, waiting: new Set() };
    this.#byClient.set(client, own);
    if (own.under < this.#atOnceMax) own.under += 1;
    // Whoever leaves hands its place on.
    else await this.#turnOf(own.waiting, gone());
    try {
      return await work();
    } finally {
      const [next] = own.waiting;
      if (next !== undefined) next();
      else {
        own.under -= 1;
        if (own.under === 0) this.#byClient.delete(client);
      }
    }
  }

  async #turnOf(waiting: Set<Waiting>, gone: AbortSignal): Promise<void> {
    const comes = await new Promise<boolean>((resolve) => {
      const end = (turn: boolean) => {
        clearTimeout(timer);
        gone.removeEventListener('abort', giveUp);
        waiting.delete(begin);
        resolve(turn);
      };
      const begin = () => end(true);
      const giveUp = () => end(false);
      const timer = setTimeout(giveUp, this.#waitMsMax);
      gone.addEventListener('abort', giveUp);
      waiting.add(begin);
      if (gone.aborted) giveUp();
    });
    if (comes) return;
    const detail = `More than ${this.#atOnceMax} requests of this user are on their way, and none came to its end. Nothing was stored; try again in a second.`;
    throw new CodedError('overloaded', detail);
  }
}
