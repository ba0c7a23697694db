import type { Logger } from './logging.ts';

/** After the first failure, doubling up to `backoffMsMax`. */
const backoffMsMin = 50;
/** An outage ends unnoticed for at most this long. */
const backoffMsMax = 2_000;
/** An outage is told once, then again at this interval, not at every attempt. */
const complaintIntervalMs = 10_000;

/**
 * A service with a life around one pass of work: it runs `pass` whenever poked, again at once while a pass
 * says there may be more, and every `idleMs` as a safety net. A pass that throws is told to the log and
 * tried again with backoff and jitter, for ever: what fails must be safe to repeat.
 *
 * Tests call the pass itself, never the loop. (The split of loop and pass follows rocket-rides-atomic.)
 */
export class PassLoop {
  readonly #name: string;
  readonly #pass: () => Promise<boolean | number>;
  readonly #idleMs: number;
  readonly #lingerMs: () => number;
  readonly #failed: () => void;
  readonly #log: Logger;
  #poked = false;
  #stopping = false;
  #wake: () => void = () => {};
  #running: Promise<void> | undefined;

  /**
   * @param options.name what the loop is called in the log
   * @param options.pass does one bounded batch; true when more may be waiting, or the milliseconds until it
   *   should be looked again
   * @param options.idleMs longest wait between two passes, in milliseconds; infinite when only a poke can bring more
   * @param options.lingerMs asked after a pass: how long a poke waits for more to come, in milliseconds; 0 when
   *   left out. A pass that said there is more is followed at once all the same
   * @param options.failed told of every pass that throws
   */
  constructor(options: {
    name: string;
    pass: () => Promise<boolean | number>;
    idleMs: number;
    lingerMs?: () => number;
    failed?: () => void;
    log: Logger;
  }) {
    this.#name = options.name;
    this.#pass = options.pass;
    this.#idleMs = options.idleMs;
    this.#lingerMs = options.lingerMs ?? (() => 0);
    this.#failed = options.failed ?? (() => {});
    this.#log = options.log;
  }

  /** Starts the loop; a second call changes nothing. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** Says that there is work: the next pass starts now, or right after the current one. */
  poke(): void {
    this.#poked = true;
    this.#wake();
  }

  /** Lets the pass under way end and resolves when the loop has. May be called twice, or before start. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#running ??= Promise.resolve();
    this.#wake();
    await this.#running;
  }

  async #run(): Promise<void> {
    let failures = 0;
    let complainedAt = Number.NEGATIVE_INFINITY;
    while (!this.#stopping) {
      this.#poked = false;
      try {
        const more = await this.#pass();
        if (failures > 0) this.#log.info({ loop: this.#name, failures }, 'recovered');
        failures = 0;
        if (more === true) continue;
        await this.#wait(this.#lingerMs(), { evenIfPoked: true });
        if (!this.#poked) await this.#wait(more === false ? this.#idleMs : more);
      } catch (error) {
        failures += 1;
        this.#failed();
        if (performance.now() - complainedAt > complaintIntervalMs) {
          complainedAt = performance.now();
          this.#log.warn({ loop: this.#name, failures, err: error }, 'pass failed, will be repeated');
        }
        const ceiling = Math.min(backoffMsMax, backoffMsMin * 2 ** Math.min(failures, 10));
        await this.#wait(ceiling * (0.5 + Math.random() / 2), { evenIfPoked: true });
      }
    }
  }

  async #wait(ms: number, { evenIfPoked = false } = {}): Promise<void> {
    if (this.#stopping || ms === 0) return;
    await new Promise<void>((resolve) => {
      const timer = Number.isFinite(ms) ? setTimeout(resolve, ms) : undefined;
      this.#wake = () => {
        if (evenIfPoked && !this.#stopping) return;
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = () => {};
  }
}
