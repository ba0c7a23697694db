import { pause } from '../../platform/lifecycle.ts';
import { type FaultName, faults, type Victims } from './faults.ts';

/** Time between two strikes, in milliseconds; one may still last when the next comes. */
const gapMsMin = 300;
const gapMsMax = 2_500;
/** A fault that strikes late lasts no longer than this. */
const lateMsMax = 3_000;
/** How often it is tried then. */
const lateTriesMax = 5;

/** A fault that struck, or could not. */
export interface Strike {
  fault: FaultName;
  /** Milliseconds from the beginning of the schedule. */
  atMs: number;
  what: string;
  struck: boolean;
}

/** Strikes with the chosen faults, as the seed wills, until the victims' signal aborts. */
export class FaultSchedule {
  readonly #victims: Victims;
  readonly #chosen: readonly FaultName[];
  readonly #onStrike: (strike: Strike) => void;
  readonly #lasting = new Set<Promise<void>>();
  readonly strikes: Strike[] = [];
  #running: Promise<void> = Promise.resolve();

  constructor(victims: Victims, chosen: readonly FaultName[], onStrike: (strike: Strike) => void) {
    this.#victims = victims;
    this.#chosen = chosen;
    this.#onStrike = onStrike;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Resolves when every fault has been undone; abort the signal first. */
  async stop(): Promise<void> {
    await this.#running;
    await Promise.all(this.#lasting);
  }

  /** Lets each chosen fault that never struck strike now, one after the other: its turn came at a bad time. */
  async strikeMissing(signal: AbortSignal): Promise<void> {
    const startedAt = performance.now();
    for (const fault of this.#chosen) {
      const hasStruck = () => this.strikes.some((strike) => strike.fault === fault && strike.struck);
      // What recovers just now, on a busy machine, may not let a tool in at once.
      for (let tries = 0; tries < lateTriesMax && !hasStruck() && !signal.aborted; tries += 1) {
        const brief = AbortSignal.any([signal, AbortSignal.timeout(lateMsMax)]);
        await this.#strike(fault, performance.now() - startedAt, { ...this.#victims, signal: brief });
      }
    }
  }

  async #run(): Promise<void> {
    const { random, signal } = this.#victims;
    const startedAt = performance.now();
    let round: FaultName[] = [];
    while (!signal.aborted) {
      await pause(random.between(gapMsMin, gapMsMax), signal);
      if (signal.aborted) break;
      // Rounds, so that in a short run too each chosen fault has its turn.
      if (round.length === 0) round = [...this.#chosen];
      const fault = random.pick(round);
      round.splice(round.indexOf(fault), 1);
      const striking = this.#strike(fault, performance.now() - startedAt);
      this.#lasting.add(striking);
      void striking.finally(() => this.#lasting.delete(striking));
    }
  }

  async #strike(fault: FaultName, atMs: number, victims = this.#victims): Promise<void> {
    let strike: Strike;
    try {
      strike = { fault, atMs, what: await faults[fault](victims), struck: true };
    } catch (error) {
      // Another fault was in the way: a server that is down takes no poison.
      const [why] = (error as Error).message.split('\n');
      strike = { fault, atMs, what: `${fault} could not strike: ${why}`, struck: false };
    }
    this.strikes.push(strike);
    this.#onStrike(strike);
  }
}
