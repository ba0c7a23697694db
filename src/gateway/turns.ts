/** Requests of one client that are with a service at once: enough to keep it busy, few of the connections there are. */
const atOnceMax = 16;

/** The requests of each client in turn: so many at once, the others wait behind their own and nobody else's. */
export class Turns {
  readonly #atOnceMax: number;
  readonly #byClient = new Map<string, { under: number; waiting: (() => void)[] }>();

  /** @param max how many of each client at once */
  constructor(max = atOnceMax) {
    this.#atOnceMax = max;
  }

  /** Does something when it is its turn; answers what it answers. How many may wait is for the caller to limit. */
  async take<Result>(client: string, work: () => Promise<Result>): Promise<Result> {
    const own = this.#byClient.get(client) ?? { under: 0, waiting: [] };
    this.#byClient.set(client, own);
    if (own.under < this.#atOnceMax) own.under += 1;
    // Whoever leaves hands its place on.
    else await new Promise<void>((resolve) => own.waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = own.waiting.shift();
      if (next !== undefined) next();
      else {
        own.under -= 1;
        if (own.under === 0) this.#byClient.delete(client);
      }
    }
  }
}
