import type { Logger } from '../platform/logging.ts';
import { PassLoop } from '../platform/pass-loop.ts';

/** Orders looked up by one poll. */
const lookedUpMax = 2_000;

/**
 * Lets requests wait for something to become true of an order, whoever makes it so: a poll finds it, one
 * statement for all that wait, and none when nobody does.
 */
export class OrderWatch<Found> {
  readonly #find: (ids: string[]) => Promise<Map<string, Found>>;
  readonly #waiting = new Map<string, Set<(found: Found | undefined) => void>>();
  readonly #loop: PassLoop;
  #stopped = false;

  /**
   * @param options.find what is waited for, by the id of the order, of those for which it is true
   * @param options.pollMs how soon it is noticed
   */
  constructor(options: {
    name: string;
    find: (ids: string[]) => Promise<Map<string, Found>>;
    pollMs: number;
    log: Logger;
  }) {
    const { name, find, pollMs, log } = options;
    this.#find = find;
    const pass = async () => {
      await this.#look([...this.#waiting.keys()].slice(0, lookedUpMax));
      return this.#waiting.size > 0 ? pollMs : false;
    };
    // While nobody waits there is nothing to look for.
    this.#loop = new PassLoop({ name, pass, idleMs: Number.POSITIVE_INFINITY, log });
  }

  /**
   * Resolves with what is waited for, with undefined when `signal` aborts first or the service stops. Never
   * rejects.
   */
  until(id: string, signal: AbortSignal): Promise<Found | undefined> {
    if (this.#stopped || signal.aborted) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const finish = (found: Found | undefined) => {
        signal.removeEventListener('abort', onAbort);
        const waiters = this.#waiting.get(id);
        waiters?.delete(finish);
        if (waiters?.size === 0) this.#waiting.delete(id);
        resolve(found);
      };
      const onAbort = () => finish(undefined);
      signal.addEventListener('abort', onAbort);
      if (this.#waiting.size === 0) this.#loop.poke();
      const waiters = this.#waiting.get(id) ?? new Set();
      this.#waiting.set(id, waiters.add(finish));
    });
  }

  /** Says that it is time to look at these orders. */
  lookAt(ids: ReadonlySet<string>): void {
    if (this.#waiting.size === 0) return;
    const wanted = [...ids].filter((id) => this.#waiting.has(id));
    // What fails here the poll finds.
    if (wanted.length > 0) void this.#look(wanted).catch(() => {});
  }

  async #look(ids: string[]): Promise<void> {
    if (ids.length === 0) return;
    for (const [id, found] of await this.#find(ids)) {
      for (const finish of this.#waiting.get(id) ?? []) finish(found);
    }
  }

  start(): void {
    this.#loop.start();
  }

  /** Ends every wait without an answer. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const waiters of this.#waiting.values()) for (const finish of waiters) finish(undefined);
    await this.#loop.stop();
  }
}
