import type { Queue } from '../../messaging/messages.ts';
import type { Queryable } from '../../platform/database.ts';
import { isUuid } from '../../platform/field-schemas.ts';
import type { Moment } from '../common-clock.ts';
import { type JobFacts, lookedFirst, lookedMax } from './trace-facts.ts';
import { jobsByIdStatement, jobsFromStatement } from './trace-statements.ts';

interface JobRow {
  id: string | null;
  queue: Queue;
  state: string;
  batch: number;
  copies: number;
  retries: number;
  created_at: Moment;
  start_after: Moment;
  started_at: Moment | null;
  completed_at: Moment | null;
  error: string | null;
  looked?: number;
}

/** Looks for jobs that carry a message about an order, each met once. */
export class JobLook {
  readonly #db: Queryable;
  readonly #orderId: string;
  readonly #found = new Map<string, JobFacts>();
  /** Whether a window held more than was looked through. */
  more = false;

  constructor(db: Queryable, orderId: string) {
    this.#db = db;
    this.#orderId = orderId;
  }

  /** Looks at jobs by id; what is no id of a job is none of ours. */
  async byId(queue: Queue, ids: readonly (string | null)[]): Promise<void> {
    const wanted = ids.filter((id) => id !== null && isUuid(id));
    if (wanted.length === 0) return;
    this.#add(await this.#db.query<JobRow>(jobsByIdStatement, [queue, this.#orderId, wanted]));
  }

  /**
   * Looks through the first jobs created from a moment on, by the broker's clock: not at all when those
   * found before are enough, a few at first, many when those were not enough.
   */
  async from(queue: Queue, moment: Moment, isEnough: (jobs: JobFacts[]) => boolean): Promise<void> {
    for (const limit of [lookedFirst, lookedMax]) {
      if (queue === 'payment-requests' && isEnough(this.jobs(queue))) return;
      const values = [queue, this.#orderId, moment, contained(this.#orderId), limit];
      const rows = await this.#db.query<JobRow>(jobsFromStatement, values);
      this.#add(rows);
      const cutShort = (rows.at(-1)?.looked ?? 0) >= limit;
      if (!cutShort) return;
      if (isEnough(this.jobs(queue)) || limit === lookedMax) {
        // The inbox counts requests; of results nobody says how many there are.
        if (queue === 'payment-results' || !isEnough(this.jobs(queue))) this.more = true;
        return;
      }
    }
  }

  #add(rows: readonly JobRow[]): void {
    for (const row of rows) {
      if (row.id === null) continue;
      this.#found.set(`${row.queue} ${row.id}`, {
        id: row.id,
        queue: row.queue,
        state: row.state,
        batch: row.batch,
        copies: row.copies,
        retries: row.retries,
        createdAt: row.created_at,
        startAfter: row.start_after,
        startedAt: row.started_at,
        completedAt: row.completed_at,
        error: row.error,
      });
    }
  }

  /** What was found in a queue, by creation. */
  jobs(queue: Queue): JobFacts[] {
    return [...this.#found.values()]
      .filter((job) => job.queue === queue)
      .sort((a, b) => a.createdAt - b.createdAt);
  }
}

/** What a job contains that carries a message about an order. */
export function contained(orderId: string): string[] {
  return [{ messages: [{ subject: orderId }] }, { subject: orderId }].map((value) => JSON.stringify(value));
}
