import { Latencies, type LatencyFigures } from './latencies.ts';

/** Slices of time that are kept at most: as many as a chart can show. */
export const slicesMax = 120;
const sliceSecondsMin = 0.25;

/** What happened in a slice of the run that begins `seconds` after its start. */
export interface Slice extends LatencyFigures {
  seconds: number;
  count: number;
  perSecond: number;
  errors: number;
}

interface OpenSlice {
  latencies: Latencies;
  errors: number;
}

/**
 * What happened over time, in slices of one width. When there would be too many, each two become one of twice
 * the width: a run of any length takes the same memory, and its percentiles stay true.
 */
export class Timeline {
  #sliceSeconds: number;
  #slices: OpenSlice[] = [];

  constructor(sliceSeconds = sliceSecondsMin) {
    this.#sliceSeconds = sliceSeconds;
  }

  /** The width of a slice. */
  get sliceSeconds(): number {
    return this.#sliceSeconds;
  }

  /** @param seconds since the start of the run */
  record(seconds: number, ms: number, times = 1): void {
    this.#at(seconds).latencies.record(ms, times);
  }

  recordError(seconds: number): void {
    this.#at(seconds).errors += 1;
  }

  /** All slices from the start of the run to the last one in which something happened. */
  slices(): Slice[] {
    return this.#slices.map(({ latencies, errors }, index) => ({
      seconds: index * this.#sliceSeconds,
      count: latencies.count,
      perSecond: latencies.count / this.#sliceSeconds,
      errors,
      ...latencies.figures(),
    }));
  }

  #at(seconds: number): OpenSlice {
    while (seconds >= slicesMax * this.#sliceSeconds) this.#halve();
    const index = Math.max(0, Math.floor(seconds / this.#sliceSeconds));
    while (this.#slices.length <= index) this.#slices.push({ latencies: new Latencies(2), errors: 0 });
    return this.#slices[index] as OpenSlice;
  }

  #halve(): void {
    const pairs: OpenSlice[] = [];
    for (const [index, slice] of this.#slices.entries()) {
      const before = pairs[index >> 1];
      if (before === undefined) pairs.push(slice);
      else {
        before.latencies.add(slice.latencies);
        before.errors += slice.errors;
      }
    }
    this.#slices = pairs;
    this.#sliceSeconds *= 2;
  }
}
