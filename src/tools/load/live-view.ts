import { Latencies } from './latencies.ts';
import type { OrderRun } from './order-run.ts';
import type { SettlementReader } from './settlements.ts';

/** How it stands, once a second or more often. */
export type LiveFigures =
  | { kind: 'users'; done: number; all: number }
  | {
      kind: 'orders';
      seconds: number;
      accepted: number;
      errors: number;
      /** Undefined when only time decides. */
      planned: number | undefined;
      acceptedPerSecond: number;
      acceptP50: number | null;
      acceptP99: number | null;
      /** Of a sample of the newest orders that are settled; null when none is. */
      settleP50: number | null;
      /** Orders that are not final; null when that is not known. */
      waiting: number | null;
    }
  | { kind: 'drain'; waiting: number };

/** One small statement a second at most, of this many orders. */
const intervalMs = 1_000;
const sampleMax = 100;

/** Looks at a run while it lasts, once a second, at little cost: the newest orders, and how many wait. */
export class LiveView {
  readonly #run: OrderRun;
  readonly #reader: SettlementReader;
  readonly #show: (figures: LiveFigures) => void;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #unsettled: string[] = [];
  #before = { at: 0, accepted: 0 };
  #settle: { p50: number | null; waiting: number | null } = { p50: null, waiting: null };

  constructor(run: OrderRun, reader: SettlementReader, show: (figures: LiveFigures) => void) {
    this.#run = run;
    this.#reader = reader;
    this.#show = show;
  }

  start(): void {
    this.#before = { at: performance.now(), accepted: 0 };
    this.#timer = setInterval(() => {
      // A database that answers slowly is asked less often.
      this.#looking ??= this.#look().finally(() => {
        this.#looking = undefined;
      });
    }, intervalMs);
  }

  /** Waits for a look under way. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
  }

  async #look(): Promise<void> {
    const now = performance.now();
    const { accepted, errors, planned, startedAt, accepts } = this.#run;
    const acceptedPerSecond = ((accepted - this.#before.accepted) * 1_000) / (now - this.#before.at);
    this.#before = { at: now, accepted };
    // A database that is away is a part of what a load may meet.
    await this.#lookAtSettlements().catch(() => {});
    const { p50, p99 } = accepts.figures();
    this.#show({
      kind: 'orders',
      seconds: (now - startedAt) / 1_000,
      accepted,
      errors,
      planned,
      acceptedPerSecond,
      acceptP50: p50,
      acceptP99: p99,
      settleP50: this.#settle.p50,
      waiting: this.#settle.waiting,
    });
  }

  async #lookAtSettlements(): Promise<void> {
    this.#settle.waiting = await this.#reader.waiting();
    const newest = [...this.#unsettled, ...thinned(this.#run.takeRemembered())].slice(-sampleMax);
    if (newest.length === 0) return;
    const settled = await this.#reader.sample(newest);
    this.#unsettled = newest.filter((id) => !settled.has(id));
    const latencies = new Latencies(2);
    for (const ms of settled.values()) latencies.record(ms);
    this.#settle.p50 = latencies.figures().p50;
  }
}

/** Evenly chosen ones of a second's orders, so that a sample is not of its last moment. */
function thinned(ids: readonly string[]): string[] {
  const step = Math.max(1, Math.floor(ids.length / sampleMax));
  return ids.filter((_, index) => index % step === 0);
}
