import type { StoredJobs } from '../messaging/broker/stored-jobs.ts';
import {
  type DeadLetterFilter,
  type DeadLetterKey,
  findDeadLetters,
  type Handling,
  listDeadLetters,
  lockWaiting,
  selectDeadLetters,
} from '../messaging/dead-letter-store.ts';
import { deadLetterQueues } from '../messaging/dead-letters.ts';
import type { Queue } from '../messaging/messages.ts';
import { Database } from '../platform/database.ts';
import { CodedError } from '../platform/errors.ts';
import type { Logger } from '../platform/logging.ts';
import {
  type DeadLetterDetails,
  type DeadLetterView,
  handlingOf,
  sourceOf,
  toDetails,
  toView,
} from './dead-letter-view.ts';

/** Dead letters dealt with in one transaction. */
const batchSizeMax = 200;
/** Dead letters that one `--all` or `--reason` takes: their ids are held in memory. */
export const selectedMax = 100_000;

/** Which dead letters a list is about. */
export interface ListOptions {
  queue: Queue | undefined;
  reason: string | undefined;
  discarded: boolean;
  limit: number;
}

/** Dead letters to deal with: named by id, or all that wait, of one reason or queue or any. */
export type Selection =
  | { ids: readonly string[] }
  | { queue?: Queue | undefined; reason?: string | undefined };

/** What becomes, or became, of one dead letter. `ready` is what a dry run says of one that waits. */
export type Outcome =
  | 'ready'
  | 'redriven'
  | 'discarded'
  | 'already-redriven'
  | 'already-discarded'
  | 'not-found'
  | 'other';

/** One dead letter of a selection, with its outcome. Queue and reason of one that is not there are null. */
export interface Dealt {
  id: string;
  queue: string | null;
  reason: string | null;
  outcome: Outcome;
}

/** A selection as it was found, before anything is done about it. */
export interface Selected {
  letters: Dealt[];
  /** Whether more wait than one call takes. */
  more: boolean;
}

/**
 * The dead letters, for an operator. Redriving puts what a dead letter carries back into its queue and
 * discarding gives it up; both leave the letter under its id with what was done, by whom and when, in one
 * transaction, so that either may be repeated: nothing is redriven twice by one id.
 *
 * pg-boss's own redrive() is not used as it deletes the letter, so that nobody could tell afterwards whether
 * an id was redriven or never existed; nor does it wake the receiver.
 */
export class DeadLetters {
  readonly #database: Database;

  /** @param options.url of the broker's role */
  constructor(options: { url: string; log: Logger }) {
    const { url, log } = options;
    this.#database = new Database({ url, name: 'tillbox dead-letters', connectionsMax: 2, log });
  }

  /** Dead letters that wait, oldest first; or those discarded, latest first. */
  async list(options: ListOptions): Promise<{ dead_letters: DeadLetterView[]; more: boolean }> {
    const { discarded, limit } = options;
    const rows = await listDeadLetters(this.#database, { ...filterOf(options), discarded, limit: limit + 1 });
    return { dead_letters: rows.slice(0, limit).map(toView), more: rows.length > limit };
  }

  /** @throws CodedError `dead-letter-not-found` */
  async show(id: string): Promise<DeadLetterDetails> {
    const [row] = await findDeadLetters(this.#database, queueNames(), [id]);
    if (row === undefined) throw notFound([id]);
    return toDetails(row);
  }

  /** Finds what a selection is about, without doing anything: what a dry run prints. */
  async select(selection: Selection): Promise<Selected> {
    if ('ids' in selection) return { letters: await this.#named([...new Set(selection.ids)]), more: false };
    const limit = selectedMax + 1;
    const keys = await selectDeadLetters(this.#database, { ...filterOf(selection), limit });
    return { letters: keys.slice(0, selectedMax).map(readyLetter), more: keys.length > selectedMax };
  }

  /** Does it to those selected letters that are ready, and answers what became of all of them, in order. */
  async handle(selected: readonly Dealt[], handling: Handling): Promise<Dealt[]> {
    const ready = selected.filter(({ outcome }) => outcome === 'ready');
    const done = ready.length > 0 ? await this.#handleReady(ready, handling) : new Set<string>();
    // Somebody else was faster with the rest: say what they did.
    const others = ready.filter(({ id }) => !done.has(id)).map(({ id }) => id);
    const late = new Map<string, Dealt>();
    for (let first = 0; first < others.length; first += batchSizeMax) {
      for (const letter of await this.#named(others.slice(first, first + batchSizeMax)))
        late.set(letter.id, letter);
    }
    return selected.map((letter) =>
      done.has(letter.id) ? { ...letter, outcome: handling.action } : (late.get(letter.id) ?? letter),
    );
  }

  /** Answers the ids of those it was done to. */
  async #handleReady(ready: readonly Dealt[], handling: Handling): Promise<Set<string>> {
    // Here, so that a list does not load pg-boss.
    const { StoredJobs } = await import('../messaging/broker/stored-jobs.ts');
    const jobs = new StoredJobs(this.#database);
    try {
      await jobs.start();
      const done = new Set<string>();
      for (const [queue, letters] of Map.groupBy(ready, (letter) => letter.queue as Queue)) {
        for (let first = 0; first < letters.length; first += batchSizeMax) {
          const ids = letters.slice(first, first + batchSizeMax).map(({ id }) => id);
          for (const id of await this.#handleBatch(jobs, { queue, ids, handling })) done.add(id);
        }
      }
      return done;
    } finally {
      await jobs.stop();
    }
  }

  #handleBatch(
    jobs: StoredJobs,
    { queue, ids, handling }: { queue: Queue; ids: readonly string[]; handling: Handling },
  ): Promise<string[]> {
    const name = deadLetterQueues.find((known) => known.queue === queue)?.name ?? queue;
    return this.#database.transaction(async (tx) => {
      const waiting = await lockWaiting(tx, name, ids);
      if (waiting.length === 0) return [];
      const found = waiting.map(({ id }) => id);
      await jobs.complete(tx, name, found, handling);
      // Under the letter's id: should its message be refused again, the new letter names this one.
      if (handling.action === 'redriven') await jobs.insert(tx, queue, waiting);
      return found;
    });
  }

  async #named(ids: readonly string[]): Promise<Dealt[]> {
    const rows = await findDeadLetters(this.#database, queueNames(), ids);
    const byId = new Map(rows.map((row) => [row.id, row]));
    return ids.map((id): Dealt => {
      const row = byId.get(id);
      if (row === undefined) return { id, queue: null, reason: null, outcome: 'not-found' };
      const handling = handlingOf(row);
      if (handling !== undefined) return { ...readyLetter(row), outcome: `already-${handling.action}` };
      return ['created', 'retry'].includes(row.state)
        ? readyLetter(row)
        : { ...readyLetter(row), outcome: 'other' };
    });
  }

  async close(): Promise<void> {
    await this.#database.close();
  }
}

/** The refusal for dead letters that are not there. */
export function notFound(ids: readonly string[]): CodedError {
  const named = ids.slice(0, 5).join(', ') + (ids.length > 5 ? ` and ${ids.length - 5} more` : '');
  const detail = `There is no dead letter ${named}. List them with: tillbox dead-letters list`;
  return new CodedError('dead-letter-not-found', detail);
}

function readyLetter({ id, name, reason }: DeadLetterKey): Dealt {
  return { id, queue: sourceOf(name), reason, outcome: 'ready' };
}

function queueNames(queue?: Queue): string[] {
  return deadLetterQueues
    .filter((known) => queue === undefined || known.queue === queue)
    .map(({ name }) => name);
}

function filterOf({
  queue,
  reason,
}: {
  queue?: Queue | undefined;
  reason?: string | undefined;
}): DeadLetterFilter {
  return { queues: queueNames(queue), reason };
}
