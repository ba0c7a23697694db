import type { Database, Statement } from './database.ts';
import { firstUuidAt, type Pruning, secondsPerDay } from './retention.ts';

/** Rows looked at, hence keys removed at most, in one pass. */
const batchSizeMax = 1_000;
const beginning = firstUuidAt(new Date(0));

/**
 * Removes the idempotency keys of rows that are old, in a table whose ids are UUIDs of version 7. It walks
 * over the primary key from the oldest row to the window and stays there: the rows before are without a key,
 * and what grows old comes right behind. So a pass reads a thousand rows at most and mostly none, without an
 * index of its own, which every insert would pay for. Where it stands is only remembered: a process that
 * starts anew walks over the old rows once more, in the background.
 */
export class IdempotencyKeyPruning implements Pruning {
  readonly #database: Database;
  readonly #seconds: number;
  readonly #statement: Statement;
  #from = beginning;

  constructor(options: {
    database: Database;
    table: 'orders.orders' | 'payments.topups';
    retentionDays: number;
  }) {
    this.#database = options.database;
    this.#seconds = Math.round(options.retentionDays * secondsPerDay);
    this.#statement = pruneStatement(options.table);
  }

  /** One pass; answers how many keys it removed and whether the walk goes on. */
  async pruneOnce(): Promise<{ pruned: number; more: boolean }> {
    // By this process's clock, only to bound the walk; what is old enough the database says.
    const before = firstUuidAt(new Date(Date.now() - this.#seconds * 1_000));
    const [batch] = await this.#database.query<{
      examined: number;
      pruned: number;
      left: string | null;
      last: string | null;
    }>(this.#statement, [this.#from, before, this.#seconds]);
    if (batch === undefined) return { pruned: 0, more: false };
    // The first row that keeps its key (locked, or not old enough after all) is where the next pass begins.
    this.#from = batch.left ?? batch.last ?? this.#from;
    return { pruned: batch.pruned, more: batch.left === null && batch.examined === batchSizeMax };
  }
}

// SKIP LOCKED: an order that is being settled is taken later, and pruning waits for nobody.
function pruneStatement(table: string): Statement {
  return {
    name: `${table}_prune_keys`,
    text: `
      with examined as materialized (
        select id, idempotency_key is not null as has_key from ${table}
         where id >= $1 and id < $2 order by id limit ${batchSizeMax}
      ), due as materialized (
        select id from ${table}
         where id in (select id from examined where has_key)
           and created_at < now() - interval '1 second' * $3::int
           for update skip locked
      ), pruned as (
        update ${table} set idempotency_key = null from due where ${table}.id = due.id returning ${table}.id
      )
      select (select count(*)::int from examined) as examined, (select count(*)::int from pruned) as pruned,
             (select id from examined where has_key and id not in (select id from pruned) order by id limit 1) as left,
             (select id from examined order by id desc limit 1) as last`,
  };
}
