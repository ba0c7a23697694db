import { type DatabaseName, databaseNames } from '../platform/config.ts';
import type { Queryable, Statement } from '../platform/database.ts';

/** Milliseconds since 1970 by the clock of the database it comes from, microseconds as a fraction. */
export type Moment = number;

/** How the clock of a database stands, measured against this machine's. */
export interface Clock {
  /** How far it is ahead of this machine's, in milliseconds. */
  aheadMs: number;
  /** How wrong that may be: half the time of the measurement's round trip. */
  uncertaintyMs: number;
  /** Its time when the facts were read. */
  now: Moment;
}

/** Differences below this are no matter of clocks: a measurement is hardly better. */
const slackMs = 2;
/** Of a few measurements of a clock the best counts. */
const clockSamples = 3;
const clockStatement: Statement = {
  name: 'tools_clock',
  text: `select (extract(epoch from clock_timestamp()) * 1000)::float8 as now`,
};
/** Differences that matter to nobody but to this page are not told. */
const toldMs = 5;

/**
 * Brings moments of several databases onto one clock. Databases on one server have one; those of several
 * servers may differ, by as much as was measured when the facts were read.
 */
export class CommonClock {
  readonly #clocks: Partial<Record<DatabaseName, Clock>>;
  readonly #reference: DatabaseName | undefined;

  constructor(clocks: Partial<Record<DatabaseName, Clock>>) {
    this.#clocks = clocks;
    this.#reference = databaseNames.find((name) => clocks[name] !== undefined);
  }

  /** The moment by the clock of the first database that was read. */
  toCommon(moment: Moment, name: DatabaseName): Moment {
    return moment - this.#difference(name);
  }

  /** Time from one moment to a later one; null when the later one is earlier by more than clocks can tell. */
  elapsedMs(
    from: { moment: Moment; database: DatabaseName },
    to: { moment: Moment; database: DatabaseName },
  ): number | null {
    const ms = this.toCommon(to.moment, to.database) - this.toCommon(from.moment, from.database);
    if (ms >= 0) return Math.round(ms * 10) / 10;
    return ms >= -this.#uncertaintyMs(from.database, to.database) ? 0 : null;
  }

  /** A sentence for each database whose clock differs. */
  notes(): string[] {
    return databaseNames.flatMap((name) => {
      const difference = this.#difference(name);
      if (Math.abs(difference) < toldMs) return [];
      const words = `${describeMs(Math.abs(difference))} ${difference > 0 ? 'ahead of' : 'behind'}`;
      return [
        `The clock of the ${name} database is ${words} that of the ${this.#reference} database; milliseconds between the two are corrected by that.`,
      ];
    });
  }

  /** How far a clock is ahead of the reference's; what is within the measurement's error is nothing. */
  #difference(name: DatabaseName): number {
    const clock = this.#clocks[name];
    const reference = this.#reference === undefined ? undefined : this.#clocks[this.#reference];
    if (clock === undefined || reference === undefined) return 0;
    const difference = clock.aheadMs - reference.aheadMs;
    return Math.abs(difference) <= clock.uncertaintyMs + reference.uncertaintyMs + slackMs ? 0 : difference;
  }

  #uncertaintyMs(...names: DatabaseName[]): number {
    if (new Set(names).size === 1) return 0;
    return names.reduce((sum, name) => sum + (this.#clocks[name]?.uncertaintyMs ?? 0), slackMs);
  }
}

function describeMs(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

/** A moment as JSON has it. */
export function toIso(moment: Moment): string {
  return new Date(moment).toISOString();
}

/** Measures a clock: of a few tries the one with the shortest way counts. */
export async function readClock(db: Queryable): Promise<Clock> {
  let best: Clock | undefined;
  for (let sample = 0; sample < clockSamples; sample += 1) {
    const before = performance.timeOrigin + performance.now();
    const [row] = await db.query<{ now: Moment }>(clockStatement);
    const after = performance.timeOrigin + performance.now();
    const now = row?.now ?? before;
    const uncertaintyMs = (after - before) / 2;
    if (best === undefined || uncertaintyMs < best.uncertaintyMs) {
      best = { aheadMs: now - (before + after) / 2, uncertaintyMs, now };
    }
  }
  return best as Clock;
}
