import type { Database } from '../platform/database.ts';
import type { Logger } from '../platform/logging.ts';
import { PassLoop } from '../platform/pass-loop.ts';
import { type Broker, batchSizeMax, type Publication } from './broker.ts';
import type { Outbox, OutboxRow } from './outbox.ts';

/** Rows taken in one pass: ten full jobs in one broker call. */
const rowsMax = 1_000;
/** The safety net: rows whose writer died before it could poke are published after at most this. */
const idleMs = 1_000;

/**
 * Moves outbox rows to the broker, at least once (steps 2 and 5). A pass takes rows out of the outbox,
 * publishes them, and only then commits: a relay that dies in between leaves the rows where they were, and
 * one that dies after publishing publishes them again, under the same message ids. Any number of relays
 * may run on one outbox.
 */
export class OutboxRelay {
  readonly #database: Database;
  readonly #outbox: Outbox;
  readonly #broker: Pick<Broker, 'publish'>;
  readonly #loop: PassLoop;

  constructor(options: {
    database: Database;
    outbox: Outbox;
    broker: Pick<Broker, 'publish'>;
    log: Logger;
  }) {
    this.#database = options.database;
    this.#outbox = options.outbox;
    this.#broker = options.broker;
    const pass = async () => (await this.publishOnce()) === rowsMax;
    this.#loop = new PassLoop({ name: 'outbox-relay', pass, idleMs, log: options.log });
  }

  /** One pass: publishes up to 1,000 rows, answers how many. */
  publishOnce(): Promise<number> {
    return this.#database.transaction(async (tx) => {
      const rows = await this.#outbox.take(tx, rowsMax);
      if (rows.length > 0) await this.#broker.publish(toPublications(rows));
      return rows.length;
    });
  }

  /** Says that rows were written; call it after their commit. */
  poke(): void {
    this.#loop.poke();
  }

  start(): void {
    this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }
}

/** Packs rows into batches, in order; a dead letter goes alone, with its reason. Pure. */
export function toPublications(rows: readonly OutboxRow[]): Publication[] {
  const publications: Publication[] = [];
  const open = new Map<string, unknown[]>();
  for (const { queue, message, dead_letter, created_at } of rows) {
    if (dead_letter !== null) {
      const deadLetter = { ...dead_letter, at: created_at.toISOString() };
      publications.push({ queue, data: { messages: [message], dead_letter: deadLetter } });
      continue;
    }
    let messages = open.get(queue);
    if (messages === undefined || messages.length === batchSizeMax) {
      messages = [];
      open.set(queue, messages);
      publications.push({ queue, data: { messages } });
    }
    messages.push({ ...(message as object), time: created_at.toISOString() });
  }
  return publications;
}
