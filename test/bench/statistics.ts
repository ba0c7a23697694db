/** Numbers of several runs: a single one means nothing on a machine with neighbours. */

/** The middle of some numbers, and their extremes. */
export interface Spread {
  median: number;
  min: number;
  max: number;
}

/** The value below which `share` (0 to 1) of the values lie, between two of them in proportion. NaN of none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const position = (sorted.length - 1) * share;
  const below = sorted[Math.floor(position)] ?? Number.NaN;
  const above = sorted[Math.ceil(position)] ?? Number.NaN;
  return below + (above - below) * (position - Math.floor(position));
}

/** Median, least and greatest. NaN of none. */
export function spread(values: readonly number[]): Spread {
  if (values.length === 0) return { median: Number.NaN, min: Number.NaN, max: Number.NaN };
  return { median: percentile(values, 0.5), min: Math.min(...values), max: Math.max(...values) };
}

/** The last third of a series against its first, as a ratio: 1 when it stays as it is. NaN of less than three. */
export function drift(series: readonly number[]): number {
  const third = Math.floor(series.length / 3);
  if (third === 0) return Number.NaN;
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  return mean(series.slice(-third)) / mean(series.slice(0, third));
}
