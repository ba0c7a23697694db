import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';

/** Latencies are kept in microseconds, to three digits (two in a slice of time), up to an hour. */
const usMax = 3_600_000_000;

/** A distribution in milliseconds; null when nothing was measured. */
export interface LatencyFigures {
  p50: number | null;
  p95: number | null;
  p99: number | null;
  max: number | null;
}

/** Upper ends of the bins of a drawn distribution, in milliseconds: 1, 2, 5, 10, … */
export const binEndsMs: readonly number[] = [
  0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000,
];

/** One bar of a distribution: how many were above `fromMs`, up to `toMs` (null: all longer ones). */
export interface Bin {
  fromMs: number;
  toMs: number | null;
  count: number;
}

/** A distribution of latencies of any number in a fixed amount of memory: an HDR histogram. */
export class Latencies {
  readonly #histogram: RecordableHistogram;
  readonly #bins: number[] = new Array(binEndsMs.length + 1).fill(0);

  /** @param digits of precision */
  constructor(digits: 2 | 3 = 3) {
    this.#histogram = createHistogram({ lowest: 1, highest: usMax, figures: digits });
  }

  record(ms: number, times = 1): void {
    const us = Math.min(usMax, Math.max(1, Math.round(ms * 1_000)));
    for (let time = 0; time < times; time += 1) this.#histogram.record(us);
    const bin = binOf(ms);
    this.#bins[bin] = (this.#bins[bin] ?? 0) + times;
  }

  add(other: Latencies): void {
    this.#histogram.add(other.#histogram);
    for (const [bin, count] of other.#bins.entries()) this.#bins[bin] = (this.#bins[bin] ?? 0) + count;
  }

  get count(): number {
    return this.#bins.reduce((sum, count) => sum + count, 0);
  }

  figures(): LatencyFigures {
    if (this.count === 0) return { p50: null, p95: null, p99: null, max: null };
    const at = (percent: number) => milliseconds(this.#histogram.percentile(percent));
    return { p50: at(50), p95: at(95), p99: at(99), max: milliseconds(this.#histogram.max) };
  }

  /** The bins from the first to the last that holds anything. */
  bins(): Bin[] {
    const all = this.#bins.map((count, index) => ({
      fromMs: binEndsMs[index - 1] ?? 0,
      toMs: binEndsMs[index] ?? null,
      count,
    }));
    const first = all.findIndex(({ count }) => count > 0);
    const last = all.findLastIndex(({ count }) => count > 0);
    return first === -1 ? [] : all.slice(first, last + 1);
  }
}

function binOf(ms: number): number {
  let bin = 0;
  while (bin < binEndsMs.length && ms > (binEndsMs[bin] as number)) bin += 1;
  return bin;
}

/** To the hundredth of a millisecond: more would be noise. */
function milliseconds(us: number): number {
  return Math.round(us / 10) / 100;
}
