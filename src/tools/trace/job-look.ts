import type { Queue } from '../../messaging/messages.ts';
import type { Queryable } from '../../platform/database.ts';
import { type JobFacts, lookedMax, type Moment } from './trace-facts.ts';
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

  /** Looks at jobs by id. */
  async byId(queue: Queue, ids: string[]): Promise<void> {
    this.#add(await this.#db.query<JobRow>(jobsByIdStatement, [queue, this.#orderId, ids]));
  }

  /** Looks through the first jobs created from a moment on, by the broker's clock. */
  async from(queue: Queue, moment: Moment): Promise<void> {
    const values = [queue, this.#orderId, moment, contained(this.#orderId)];
    const rows = await this.#db.query<JobRow>(jobsFromStatement, values);
    if ((rows.at(-1)?.looked ?? 0) >= lookedMax) this.more = true;
    this.#add(rows);
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
