import { CodedError } from './errors.ts';

interface Waiting<Item, Result> {
  item: Item;
  since: number;
  resolve: (result: Result) => void;
  reject: (error: unknown) => void;
}

/**
 * Gathers items that arrive while a write is in flight and hands them to `write` together, so that one
 * transaction serves many requests. Idle, an item is written at once and alone; under load the batches
 * grow by themselves, and nobody ever waits to fill one. (The idea is the group commit of databases.)
 */
export class GroupCommit<Item, Result> {
  readonly #write: (items: Item[]) => Promise<Result[]>;
  readonly #batchSizeMax: number;
  readonly #writesInFlightMax: number;
  readonly #waitingMax: number;
  readonly #waitingMsMax: number | undefined;
  #waiting: Waiting<Item, Result>[] = [];
  #writesInFlight = 0;
  #scheduled = false;
  #impatience: NodeJS.Timeout | undefined;

  /**
   * @param options.write writes a batch in one transaction, answers one result an item, in order; when it
   *   throws, every item of the batch is refused with that error
   * @param options.waitingMax beyond so many waiting items `submit` refuses with `overloaded`
   * @param options.waitingMsMax an item that waits longer for its write to begin is refused with `unavailable`
   */
  constructor(options: {
    write: (items: Item[]) => Promise<Result[]>;
    batchSizeMax: number;
    writesInFlightMax: number;
    waitingMax: number;
    waitingMsMax?: number;
  }) {
    this.#write = options.write;
    this.#batchSizeMax = options.batchSizeMax;
    this.#writesInFlightMax = options.writesInFlightMax;
    this.#waitingMax = options.waitingMax;
    this.#waitingMsMax = options.waitingMsMax;
  }

  /** Resolves with the item's result once the transaction that wrote it is committed. */
  submit(item: Item): Promise<Result> {
    if (this.#waiting.length >= this.#waitingMax) {
      const detail =
        'Too many requests are waiting to be written. Nothing was stored; try again in a second.';
      return Promise.reject(new CodedError('overloaded', detail));
    }
    return new Promise<Result>((resolve, reject) => {
      this.#waiting.push({ item, since: performance.now(), resolve, reject });
      this.#schedule();
      if (this.#waitingMsMax !== undefined) this.#refuseAfter(this.#waitingMsMax);
    });
  }

  /** One timer for all: who came first is the first to have waited too long. */
  #refuseAfter(waitingMsMax: number): void {
    const [first] = this.#waiting;
    if (first === undefined || this.#impatience !== undefined) return;
    const leftMs = Math.max(1, first.since + waitingMsMax - performance.now());
    this.#impatience = setTimeout(() => {
      this.#impatience = undefined;
      const oldest = performance.now() - waitingMsMax;
      const late = this.#waiting.findIndex(({ since }) => since > oldest);
      const detail = 'What writes is away or overloaded. Nothing was stored; try again in a moment.';
      const refused = this.#waiting.splice(0, late === -1 ? this.#waiting.length : late);
      for (const { reject } of refused) reject(new CodedError('unavailable', detail));
      this.#refuseAfter(waitingMsMax);
    }, leftMs).unref();
  }

  /** A write starts after the current turn of the event loop, so that requests read together go together. */
  #schedule(): void {
    if (this.#scheduled || this.#writesInFlight >= this.#writesInFlightMax) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      void this.#writeNext();
    });
  }

  async #writeNext(): Promise<void> {
    const batch = this.#waiting.splice(0, this.#batchSizeMax);
    if (batch.length === 0) return;
    this.#writesInFlight += 1;
    if (this.#waiting.length > 0) this.#schedule();
    try {
      const results = await this.#write(batch.map((waiting) => waiting.item));
      batch.forEach((waiting, index) => {
        waiting.resolve(results[index] as Result);
      });
    } catch (error) {
      for (const waiting of batch) waiting.reject(error);
    } finally {
      this.#writesInFlight -= 1;
      if (this.#waiting.length > 0) this.#schedule();
    }
  }
}
