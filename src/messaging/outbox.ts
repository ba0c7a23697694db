import type { Queryable, Statement, Transaction } from '../platform/database.ts';
import { cutDeep, type DeadLetter, deadLetterQueueOf } from './dead-letters.ts';
import { type Message, queueOf, toCloudEvent } from './messages.ts';

/** A row of an outbox: a message that is to be published to a queue. */
export interface OutboxRow {
  seq: bigint;
  queue: string;
  message: unknown;
  /** For a dead letter: reason, detail, queue and job it came from. */
  dead_letter: object | null;
  created_at: Date;
}

/**
 * The transactional outbox of one service, the table `<schema>.outbox`: what is written here in the
 * transaction of the business data is published if, and only if, that transaction commits. A queue, not an
 * archive: a row leaves when it is published.
 */
export class Outbox {
  readonly #check: Statement;
  readonly #insert: Statement;
  readonly #take: Statement;

  constructor(schema: 'orders' | 'payments') {
    this.#check = { name: `${schema}_outbox_check`, text: `select from ${schema}.outbox limit 0` };
    this.#insert = {
      name: `${schema}_outbox_insert`,
      text: `
        insert into ${schema}.outbox (queue, message, dead_letter)
        select queue, message, dead_letter
          from jsonb_to_recordset($1) as input (queue text, message jsonb, dead_letter jsonb)`,
    };
    // SKIP LOCKED: rows another relay is publishing are its own, and a hole left by a transaction that
    // commits late is simply taken later. MATERIALIZED: the limit is applied once, before the delete.
    this.#take = {
      name: `${schema}_outbox_take`,
      text: `
        with taken as materialized (
          select seq from ${schema}.outbox order by seq limit $1 for update skip locked
        )
        delete from ${schema}.outbox using taken where outbox.seq = taken.seq
        returning outbox.seq, outbox.queue, outbox.message, outbox.dead_letter, outbox.created_at`,
    };
  }

  /** Resolves when the table is there for this role: the schema is migrated and may be used. */
  async check(db: Queryable): Promise<void> {
    await db.query(this.#check);
  }

  /** Writes messages and dead letters, in the caller's transaction. */
  async add(
    tx: Transaction,
    messages: readonly Message[],
    deadLetters: readonly DeadLetter[],
  ): Promise<void> {
    if (messages.length + deadLetters.length === 0) return;
    const rows = [
      ...messages.map((message) => ({ queue: queueOf[message.type], message: toCloudEvent(message) })),
      ...deadLetters.map(({ message, reason, detail, queue, jobId }) => ({
        queue: deadLetterQueueOf(queue),
        message: cutDeep(message),
        dead_letter: { reason, detail, queue, job_id: jobId },
      })),
    ];
    await tx.query(this.#insert, [JSON.stringify(rows)]);
  }

  /**
   * Takes up to `limit` rows out, oldest first, in the caller's transaction: they are gone when it commits
   * and back when it does not.
   */
  async take(tx: Transaction, limit: number): Promise<OutboxRow[]> {
    const rows = await tx.query<OutboxRow>(this.#take, [limit]);
    return rows.sort((a, b) => (a.seq < b.seq ? -1 : 1));
  }
}
