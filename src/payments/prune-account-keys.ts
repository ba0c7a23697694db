import type { Database } from '../platform/database.ts';
import { type Pruning, secondsPerDay } from '../platform/retention.ts';
import { pruneAccountKeys } from './account-store.ts';

/** Accounts looked at, hence keys removed at most, in one pass. */
const batchSizeMax = 1_000;

/**
 * Removes the idempotency keys of accounts created long ago. Accounts have no id that tells their age, so it
 * walks over the index of the keys themselves: it holds the accounts that still have one, those of the
 * window. At the end it begins anew.
 */
export class AccountKeyPruning implements Pruning {
  readonly #database: Database;
  readonly #seconds: number;
  #after = '';

  constructor(options: { database: Database; retentionDays: number }) {
    this.#database = options.database;
    this.#seconds = Math.round(options.retentionDays * secondsPerDay);
  }

  /** One pass; answers how many keys it removed and whether the walk goes on. */
  async pruneOnce(): Promise<{ pruned: number; more: boolean }> {
    const { examined, pruned, last } = await pruneAccountKeys(this.#database, {
      after: this.#after,
      olderThanSeconds: this.#seconds,
      limit: batchSizeMax,
    });
    const more = examined === batchSizeMax && last !== null;
    this.#after = more ? last : '';
    return { pruned, more };
  }
}
