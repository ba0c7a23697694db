import { type Spread, spread } from './statistics.ts';

/** What the bench measures: named figures in parts, of which each run adds one value. */

/** One value of one run. */
export interface Figure {
  /** Such as "orders/s" or "p99". Together with part and group it says what is measured. */
  name: string;
  value: number;
  unit: Unit;
  /** What the value should be, for the reader to compare: the bench never fails on a figure. */
  goal?: string;
  /** Has its place in a short table even without a goal. */
  headline?: boolean;
}
export type Unit = '/s' | 'ms' | 's' | 'µs' | 'MB' | 'x' | '%' | '';

/** A figure over all runs. */
export interface Row extends Spread {
  part: string;
  name: string;
  unit: Unit;
  goal: string | undefined;
  headline: boolean;
  values: number[];
}

/** Collects the figures of all runs, in the order in which they came first. */
export class Figures {
  readonly #rows = new Map<string, Omit<Row, keyof Spread>>();

  add(part: string, figures: readonly Figure[]): void {
    for (const { name, value, unit, goal, headline = goal !== undefined } of figures) {
      if (!Number.isFinite(value)) continue;
      const key = `${part}\n${name}`;
      const row = this.#rows.get(key) ?? { part, name, unit, goal, headline, values: [] };
      row.values.push(value);
      this.#rows.set(key, row);
    }
  }

  /** One row a figure, the rows of a part together. */
  rows(): Row[] {
    const byPart = Map.groupBy(this.#rows.values(), ({ part }) => part);
    return [...byPart.values()].flat().map((row) => ({ ...row, ...spread(row.values) }));
  }
}
