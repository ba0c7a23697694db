import type { Queryable, Statement, Transaction } from '../platform/database.ts';
import { cutDeep, type DeadLetter, deadLetterQueueOf } from './dead-letters.ts';
import { batchSizeMax, type Message, queueOf, toCloudEvent } from './messages.ts';

/** A row of an outbox: a batch of messages that is to be published to a queue. */
export interface OutboxRow {
  seq: bigint;
  queue: string;
  /** From 1 to 100 messages, in order. */
  messages: unknown[];
  /** For a dead letter, which is alone in its row: reason, detail, queue and job it came from. */
  dead_letter: object | null;
  created_at: Date;
}

/**
 * The transactional outbox of one service, the table `<schema>.outbox`: what is written here in the
 * transaction of the business data is published if, and only if, that transaction commits. A queue, not an
 * archive: a row leaves when it is published. A row carries what one transaction has to say, up to a hundred
 * messages, because a row costs Postgres the same whatever it carries.
 */
export class Outbox {
  readonly #check: Statement;
  readonly #insert: Statement;
  readonly #take: Statement;
  readonly #remove: Statement;

  constructor(schema: 'orders' | 'payments') {
    this.#check = { name: `${schema}_outbox_check`, text: `select from ${schema}.outbox limit 0` };
    this.#insert = {
      name: `${schema}_outbox_insert`,
      text: `
        insert into ${schema}.outbox (queue, messages, message_count, dead_letter)
        select queue, messages, message_count, dead_letter from json_to_recordset($1)
          as input (queue text, messages json, message_count smallint, dead_letter jsonb)`,
    };
    // SKIP LOCKED: rows another relay is publishing are its own, and a hole left by a transaction that
    // commits late is simply taken later.
    this.#take = {
      name: `${schema}_outbox_take`,
      text: `
        select seq, queue, messages, dead_letter, created_at from ${schema}.outbox
         order by seq limit $1 for update skip locked`,
    };
    this.#remove = {
      name: `${schema}_outbox_remove`,
      text: `delete from ${schema}.outbox where seq = any($1::bigint[])`,
    };
  }

  /** Resolves when the table is there for this role: the schema is migrated and may be used. */
  async check(db: Queryable): Promise<void> {
    await db.query(this.#check);
  }

  /** Writes messages and dead letters in one statement; given a transaction, in the caller's. */
  async add(db: Queryable, messages: readonly Message[], deadLetters: readonly DeadLetter[]): Promise<void> {
    if (messages.length + deadLetters.length === 0) return;
    await db.query(this.#insert, [toRows(messages, deadLetters)]);
  }

  /** The same in the caller's transaction, sent and not waited for. */
  send(tx: Transaction, messages: readonly Message[], deadLetters: readonly DeadLetter[]): void {
    if (messages.length + deadLetters.length > 0) tx.send(this.#insert, [toRows(messages, deadLetters)]);
  }

  /** Takes up to `limit` rows, oldest first: nobody else gets them before the caller's transaction ends. */
  take(tx: Transaction, limit: number): Promise<OutboxRow[]> {
    return tx.query<OutboxRow>(this.#take, [limit]);
  }

  /** Removes rows taken: they are gone when the caller's transaction commits, and back when it does not. */
  remove(tx: Transaction, rows: readonly OutboxRow[]): void {
    tx.send(this.#remove, [rows.map(({ seq }) => seq)]);
  }
}

function toRows(messages: readonly Message[], deadLetters: readonly DeadLetter[]): string {
  return JSON.stringify([...toBatches(messages), ...deadLetters.map(toRow)]);
}

/** Messages as rows, each for one queue and full but the last. */
function toBatches(messages: readonly Message[]) {
  const byQueue = Map.groupBy(messages, ({ type }) => queueOf[type]);
  return [...byQueue].flatMap(([queue, all]) => {
    const rows = [];
    for (let from = 0; from < all.length; from += batchSizeMax) {
      const batch = all.slice(from, from + batchSizeMax).map(toCloudEvent);
      rows.push({ queue, messages: batch, message_count: batch.length });
    }
    return rows;
  });
}

function toRow({ message, reason, detail, queue, jobId }: DeadLetter) {
  return {
    queue: deadLetterQueueOf(queue),
    messages: [cutDeep(message)],
    message_count: 1,
    dead_letter: { reason, detail, queue, job_id: jobId },
  };
}
