import type { Database } from '../platform/database.ts';
import type { Logger } from '../platform/logging.ts';
import { PassLoop } from '../platform/pass-loop.ts';
import { isFinal, type Order } from './order.ts';
import { findOrders } from './store.ts';

/** How soon a settlement by another instance of this service is noticed. */
const pollMs = 200;
/** Orders looked up by one poll. */
const lookedUpMax = 2_000;

/**
 * Lets requests wait for orders to become final. A settlement by this process wakes them at once; one by
 * another instance is found by a poll, one statement for all that wait, and none when nobody does.
 */
export class SettlementWatch {
  readonly #database: Database;
  readonly #waiting = new Map<string, Set<(order: Order | undefined) => void>>();
  readonly #loop: PassLoop;
  #stopped = false;

  constructor(options: { database: Database; log: Logger }) {
    this.#database = options.database;
    const pass = async () => {
      await this.#look([...this.#waiting.keys()].slice(0, lookedUpMax));
      return false;
    };
    this.#loop = new PassLoop({ name: 'settlement-watch', pass, idleMs: pollMs, log: options.log });
  }

  /**
   * Resolves with the order when it is final, with undefined when `signal` aborts first or the service
   * stops. Never rejects.
   */
  untilFinal(id: string, signal: AbortSignal): Promise<Order | undefined> {
    if (this.#stopped || signal.aborted) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const finish = (order: Order | undefined) => {
        signal.removeEventListener('abort', onAbort);
        const waiters = this.#waiting.get(id);
        waiters?.delete(finish);
        if (waiters?.size === 0) this.#waiting.delete(id);
        resolve(order);
      };
      const onAbort = () => finish(undefined);
      signal.addEventListener('abort', onAbort);
      const waiters = this.#waiting.get(id) ?? new Set();
      this.#waiting.set(id, waiters.add(finish));
    });
  }

  /** Says that this process has settled these orders. */
  settled(ids: ReadonlySet<string>): void {
    if (this.#waiting.size === 0) return;
    const wanted = [...ids].filter((id) => this.#waiting.has(id));
    // What fails here the poll finds.
    if (wanted.length > 0) void this.#look(wanted).catch(() => {});
  }

  async #look(ids: string[]): Promise<void> {
    if (ids.length === 0) return;
    for (const order of (await findOrders(this.#database, ids)).filter(isFinal)) {
      for (const finish of this.#waiting.get(order.id) ?? []) finish(order);
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
