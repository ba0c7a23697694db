import type { Queryable, Statement, Transaction } from '../platform/database.ts';

/**
 * The dead letters as they lie in pg-boss's table of jobs, and all SQL that reads them. One that waits is a
 * job in state `created`. One that was dealt with stays under its id, as a completed job whose output says
 * what was done, by whom and why.
 */

/** What was done about a dead letter: the output of its job, whose `completed_on` says when. */
export type Handling =
  | { action: 'redriven'; who: string }
  | { action: 'discarded'; who: string; why: string };

/** The reason of a dead letter that no service refused: pg-boss gave up the job it was in. */
export const gaveUpReason = 'broker-gave-up';

/** A dead letter's job. */
export interface DeadLetterRow {
  id: string;
  /** The dead-letter queue. */
  name: string;
  /** pg-boss's word: `created` or `completed`, and others should somebody else work on the queue. */
  state: string;
  data: unknown;
  output: unknown;
  created_on: Date;
  completed_on: Date | null;
  /** How long ago it came, in seconds, by the database's clock. */
  age_s: number;
  reason: string;
  /** For a job that pg-boss itself gave up: which one, after how many retries, and how it ended. */
  source_id: string | null;
  source_retry_count: number | null;
  source_output: unknown;
  /** The dead letter whose redriving led to this one. */
  redriven_from: string | null;
}

const waiting = `state in ('created', 'retry')`;
const reason = `coalesce(data -> 'dead_letter' ->> 'reason', '${gaveUpReason}')`;

// The job a dead letter came in has the id of an earlier dead letter when it was redriven. The text is
// checked before it is cast, because anybody may put anything into a queue.
const lettersWhere = (condition: string, order: string): string => `
  with letters as materialized (
    select id, name, state::text, data, output, created_on, completed_on,
           extract(epoch from now() - created_on)::float8 as age_s, ${reason} as reason,
           source_id, source_retry_count, source_output,
           coalesce(source_id::text, data -> 'dead_letter' ->> 'job_id') as came_in
      from broker.job where ${condition} order by ${order} limit $2
  )
  select letters.*, (
           select earlier.id from broker.job earlier
            where earlier.name = letters.name and earlier.output ->> 'action' = 'redriven'
              and earlier.id = case when came_in ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
                                    then came_in::uuid end
         ) as redriven_from
    from letters order by ${order}`;

const waitingStatement: Statement = {
  name: 'dead_letters_waiting',
  text: lettersWhere(
    `name = any($1) and ${waiting} and ($3::text is null or ${reason} = $3)`,
    'created_on, id',
  ),
};
const discardedStatement: Statement = {
  name: 'dead_letters_discarded',
  text: lettersWhere(
    `name = any($1) and state = 'completed' and output ->> 'action' = 'discarded'
       and ($3::text is null or ${reason} = $3)`,
    'completed_on desc, id',
  ),
};

/** Which dead letters: of these dead-letter queues, of one reason or any. */
export interface DeadLetterFilter {
  queues: readonly string[];
  reason: string | undefined;
}

/** Dead letters that wait, oldest first, or those discarded, latest first. */
export function listDeadLetters(
  db: Queryable,
  filter: DeadLetterFilter & { discarded: boolean; limit: number },
): Promise<DeadLetterRow[]> {
  const statement = filter.discarded ? discardedStatement : waitingStatement;
  return db.query<DeadLetterRow>(statement, [filter.queues, filter.limit, filter.reason ?? null]);
}

const findStatement: Statement = {
  name: 'dead_letters_find',
  text: lettersWhere('name = any($1) and id = any($3::uuid[])', 'created_on, id'),
};

/** The dead letters with these ids, whatever was done about them. */
export function findDeadLetters(
  db: Queryable,
  queues: readonly string[],
  ids: readonly string[],
): Promise<DeadLetterRow[]> {
  return db.query<DeadLetterRow>(findStatement, [queues, ids.length, ids]);
}

const selectStatement: Statement = {
  name: 'dead_letters_select',
  text: `
    select id, name, ${reason} as reason from broker.job
     where name = any($1) and ${waiting} and ($3::text is null or ${reason} = $3)
     order by created_on, id limit $2`,
};

/** A dead letter without what it carries. */
export type DeadLetterKey = Pick<DeadLetterRow, 'id' | 'name' | 'reason'>;

/** Up to `limit` dead letters that wait, oldest first. */
export function selectDeadLetters(
  db: Queryable,
  filter: DeadLetterFilter & { limit: number },
): Promise<DeadLetterKey[]> {
  return db.query<DeadLetterKey>(selectStatement, [filter.queues, filter.limit, filter.reason ?? null]);
}

// In the order of ids: two operators with common letters wait for each other instead of deadlocking, and
// the second finds that they wait no more.
const lockStatement: Statement = {
  name: 'dead_letters_lock',
  text: `
    select id, data from broker.job
     where name = $1 and id = any($2::uuid[]) and ${waiting} order by id for update`,
};

/** Locks those of these dead letters that still wait, and answers what they carry. */
export function lockWaiting(
  tx: Transaction,
  queue: string,
  ids: readonly string[],
): Promise<{ id: string; data: unknown }[]> {
  return tx.query(lockStatement, [queue, ids]);
}
