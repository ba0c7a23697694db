import type { Database, Transaction } from '../platform/database.ts';
import { Hints } from '../platform/hints.ts';
import type { Logger } from '../platform/logging.ts';
import { PassLoop } from '../platform/pass-loop.ts';
import { isUnstorable } from '../platform/postgres-errors.ts';
import type { Broker, Publication } from './broker/broker.ts';
import { cutDeep } from './dead-letters.ts';
import { type Instruments, noInstruments } from './instruments.ts';
import { batchSizeMax, type Message, queueOf, toCloudEvent } from './messages.ts';
import type { Outbox, OutboxRow } from './outbox.ts';

/** Rows taken in one pass: at most twenty full jobs in one broker call. */
const rowsMax = 20;
/** The safety net: rows whose writer died before it could poke are published after at most this. */
const idleMs = 2_000;
/**
 * Under load a pass waits for more, because a broker call costs the same whatever it carries: the longer the less
 * there is to spare, which shows in how long the pass before it took. Load is when a pass finds so many messages;
 * alone, a message is published at once.
 */
const busyMessages = 8;
const lingerMsMax = 30;
const lingerPasses = 3;

/** What one pass came to. */
export interface Published {
  rows: number;
  messages: number;
}

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
  readonly #instruments: Instruments;
  readonly #loop: PassLoop;
  readonly #justWritten = new Hints<Message>(busyMessages);

  constructor(options: {
    database: Database;
    outbox: Outbox;
    broker: Pick<Broker, 'publish'>;
    instruments?: Instruments;
    onTrouble?: (() => void) | undefined;
    log: Logger;
  }) {
    this.#database = options.database;
    this.#outbox = options.outbox;
    this.#broker = options.broker;
    this.#instruments = options.instruments ?? noInstruments;
    let messages = 0;
    let passMs = 0;
    const pass = async () => {
      const begunAt = performance.now();
      const justWritten = this.#justWritten.close();
      try {
        const published = await this.publishOnce(justWritten);
        messages = published.messages;
        passMs = performance.now() - begunAt;
        return published.rows === rowsMax;
      } finally {
        if (messages < busyMessages) this.#justWritten.open();
      }
    };
    const linger = () => (messages < busyMessages ? 0 : Math.min(lingerMsMax, lingerPasses * passMs));
    this.#loop = new PassLoop({
      name: 'outbox-relay',
      pass,
      idleMs,
      lingerMs: linger,
      failed: () => {
        this.#instruments.retried('outbox-relay');
        options.onTrouble?.();
      },
      log: options.log,
    });
  }

  /**
   * One pass: publishes up to twenty rows; answers how many, and how many messages they carried.
   * @param justWritten messages that are certainly in the outbox: they are published while the rows are read
   */
  async publishOnce(justWritten: readonly Message[] = []): Promise<Published> {
    let told: { rows: readonly OutboxRow[]; begunAt: number }[] = [];
    const publish = async (tx: Transaction) => {
      const [rows, earlyAt] = await Promise.all([
        this.#outbox.take(tx, rowsMax),
        this.#publish(toPublications(toUnreadRows(justWritten))),
      ]);
      told = [];
      if (rows.length > 0) {
        const rest = without(rows, justWritten);
        const isEarly = (_row: OutboxRow, index: number) => rest[index]?.messages.length === 0;
        told.push({ rows: rows.filter(isEarly), begunAt: earlyAt });
        const restAt = await this.#publish(toPublications(rest));
        told.push({ rows: rows.filter((row, index) => !isEarly(row, index)), begunAt: restAt });
        this.#outbox.remove(tx, rows);
      }
      return { rows: rows.length, messages: rows.reduce((sum, { messages }) => sum + messages.length, 0) };
    };
    // What is published is published: rows that a crash brings back are published once more.
    const published = await this.#database.transaction(publish, { forgettable: true, readsFirst: true });
    for (const { rows, begunAt } of told) this.#instruments.published(rows, begunAt);
    return published;
  }

  /**
   * The outbox keeps text that a job cannot: such a row must not hold up those behind it for ever. Answers when the call
   * that succeeded was begun, in Unix milliseconds: its jobs are as old.
   */
  async #publish(publications: readonly Publication[]): Promise<number> {
    const begunAt = Date.now();
    if (publications.length === 0) return begunAt;
    try {
      await this.#broker.publish(publications);
      return begunAt;
    } catch (error) {
      if (!isUnstorable(error)) throw error;
      const begunAgainAt = Date.now();
      await this.#broker.publish(publications.map(storable));
      return begunAgainAt;
    }
  }

  /**
   * Says that rows were written; call it after their commit.
   * @param justWritten the messages in them, if they are at hand
   */
  poke(justWritten: readonly Message[] = []): void {
    this.#justWritten.add(justWritten);
    this.#loop.poke();
  }

  start(): void {
    this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }
}

/** A NUL or half a surrogate pair, as JSON.stringify spells them; an even number of backslashes may precede. */
const unstorableCharacter = /(?<!\\)((?:\\\\)*)\\u(?:0000|d[89a-f][0-9a-f]{2})/g;

/** The same with what jsonb refuses replaced; what a message of ours never holds. Pure. */
export function storable({ queue, data }: Publication): Publication {
  const text = JSON.stringify({ ...data, messages: data.messages.map((message) => cutDeep(message)) });
  return { queue, data: JSON.parse(text.replace(unstorableCharacter, '$1\\ufffd')) };
}

/** Messages as rows that nobody has read back. */
function toUnreadRows(messages: readonly Message[]): Omit<OutboxRow, 'seq'>[] {
  const created_at = new Date();
  return messages.map((message) => ({
    queue: queueOf[message.type],
    messages: [toCloudEvent(message)],
    dead_letter: null,
    created_at,
  }));
}

/** The rows, without the messages that are published already; one that merely has the id of such a one stays. */
function without(rows: readonly OutboxRow[], published: readonly Message[]): OutboxRow[] {
  if (published.length === 0) return [...rows];
  const texts = new Set(published.map((message) => JSON.stringify(toCloudEvent(message))));
  const isNew = (message: unknown) => !texts.has(JSON.stringify(message));
  return rows.map((row) =>
    row.dead_letter === null ? { ...row, messages: row.messages.filter(isNew) } : row,
  );
}

/**
 * Packs the messages of rows into jobs, in order and as few as it takes; a dead letter goes alone, with its
 * reason. Each message is told when it was written down.
 */
export function toPublications(rows: readonly Omit<OutboxRow, 'seq'>[]): Publication[] {
  const publications: Publication[] = [];
  const open = new Map<string, unknown[]>();
  for (const { queue, messages, dead_letter, created_at } of rows) {
    const time = created_at.toISOString();
    if (dead_letter !== null) {
      publications.push({ queue, data: { messages, dead_letter: { ...dead_letter, at: time } } });
      continue;
    }
    for (const message of messages) {
      let job = open.get(queue);
      if (job === undefined || job.length === batchSizeMax) {
        job = [];
        open.set(queue, job);
        publications.push({ queue, data: { messages: job } });
      }
      // Anything may stand in an array: what is no message goes on too, to become a dead letter.
      const isObject = typeof message === 'object' && message !== null;
      job.push(isObject ? Object.assign(message, { time }) : message);
    }
  }
  return publications;
}
