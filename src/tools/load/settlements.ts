import type { Latencies } from './latencies.ts';
import type { Timeline } from './timeline.ts';

/** What has become of all orders of a run, by the clocks of the database that holds them. */
export interface Settlements {
  /** Orders that are there. */
  stored: number;
  finished: number;
  canceled: number;
  /** From an order's creation to its settlement. */
  latencies: Latencies;
  /** By the time of the settlement. */
  timeline: Timeline;
  /** From the run's start to the last creation and the last settlement. */
  lastCreatedSeconds: number;
  lastSettledSeconds: number;
}

/** Where a run reads how its orders settle. Reading is cheap while the run lasts. */
export interface SettlementReader {
  readonly source: 'databases' | 'gateway';
  /** Notes the start of the run by the clock that settlements are read in. */
  begin(): Promise<void>;
  /** From creation to settlement in milliseconds, of those of these orders that are final. */
  sample(orderIds: readonly string[]): Promise<Map<string, number>>;
  /** Orders of the run that are not final, counted up to a limit; null where only a sample can be asked. */
  waiting(): Promise<number | null>;
  /** Everything, after the run. */
  read(): Promise<Settlements>;
  close(): Promise<void>;
}

/** More orders than this that wait are not counted one by one. */
export const waitingMax = 10_000;
