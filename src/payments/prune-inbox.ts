import type { Database } from '../platform/database.ts';
import { firstUuidAt, type Pruning, secondsPerDay } from '../platform/retention.ts';
import { pruneInbox } from './inbox-store.ts';

/** Rows looked at, hence deleted at most, in one pass. */
const batchSizeMax = 1_000;

/**
 * Prunes the inbox of what was processed long ago; see platform/retention.ts for why that is safe. It walks
 * over the primary key, whose ids are in the order of their orders' making, from the oldest up to the window;
 * so it reads what it deletes and the few rows among it that came again since. At the end it begins anew.
 */
export class InboxPruning implements Pruning {
  readonly #database: Database;
  readonly #seconds: number;
  #after = firstUuidAt(new Date(0));

  constructor(options: { database: Database; retentionDays: number }) {
    this.#database = options.database;
    this.#seconds = Math.round(options.retentionDays * secondsPerDay);
  }

  /** One pass; answers how many rows it deleted and whether the walk goes on. */
  async pruneOnce(): Promise<{ pruned: number; more: boolean }> {
    // By this process's clock, only to bound the walk; what is old enough the database says.
    const before = firstUuidAt(new Date(Date.now() - this.#seconds * 1_000));
    const batch = await pruneInbox(this.#database, {
      after: this.#after,
      before,
      olderThanSeconds: this.#seconds,
      limit: batchSizeMax,
    });
    const more = batch.examined === batchSizeMax;
    this.#after = more ? (batch.last ?? this.#after) : firstUuidAt(new Date(0));
    return { pruned: batch.pruned, more };
  }
}
