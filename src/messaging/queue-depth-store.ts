import type { Statement } from '../platform/database.ts';

/** How pg-boss's queues stand: read-only statements, each bounded however long a queue is. */

/** Jobs whose messages are counted at either end of a queue; the mean of these stands for the rest. */
const sampledMax = 500;
/** Jobs of the last seconds whose messages are counted. */
const recentMax = 20_000;
/** The window of rates. */
export const rateSeconds = 5;

/** How a pg-boss queue stands. */
export interface QueueDepth {
  name: string;
  at: Date;
  /** Jobs that wait, up to the limit of the statement and one more, and what pg-boss's own statistics last said. */
  waiting_jobs: bigint;
  cached_jobs: bigint;
  /** Jobs at either end of the queue, and the messages in them. */
  sampled_jobs: bigint;
  sampled_messages: bigint;
  active_messages: bigint;
  retrying_jobs: bigint;
  oldest_s: number | null;
  messages_in: bigint;
  messages_out: bigint;
}

const messagesIn = `
  case jsonb_typeof(data -> 'messages') when 'array' then jsonb_array_length(data -> 'messages') else 1 end`;

// Each part reads an index of pg-boss that holds the rows it is about, and no more: i14 the jobs that are
// not done (by state and time), i15 those created, i16 those completed in the last seconds.
function queueDepth(name: string, countedMax: number): string {
  const jobs = `broker.job where name = '${name}'`;
  const created = `select id, ${messagesIn} as messages from ${jobs} and state = 'created' and not blocked`;
  const recent = (column: string) => `
    select coalesce(sum(messages), 0) from (
      select ${messagesIn} as messages from ${jobs} and ${column} > now() - interval '${rateSeconds} seconds'
       limit ${recentMax}) as jobs`;
  return `
    select '${name}' as name, now() as at, waiting_jobs, retrying_jobs, oldest_s, sampled_jobs, sampled_messages,
           coalesce((select queued_count from broker.queue where queue.name = '${name}'), 0)::bigint as cached_jobs,
           (select coalesce(sum(messages), 0) from (
              select ${messagesIn} as messages from ${jobs} and state = 'active' limit ${recentMax}) as jobs
           )::bigint as active_messages,
           (${recent('created_on')})::bigint as messages_in,
           (${recent(`state = 'completed' and completed_on`)})::bigint as messages_out
      from (
        select count(*) filter (where state <> 'active') as waiting_jobs,
               count(*) filter (where retry_count > 0 or state = 'retry') as retrying_jobs,
               extract(epoch from now() - min(created_on))::float8 as oldest_s
          from (select state, retry_count, created_on from ${jobs} and state in ('created', 'retry', 'active')
                 limit ${countedMax + 1}) as jobs
      ) as live, (
        select count(*) as sampled_jobs, coalesce(sum(messages), 0)::bigint as sampled_messages
          from ((${created} order by start_after limit ${sampledMax})
                union (${created} order by start_after desc limit ${sampledMax})
                union (select id, ${messagesIn} from ${jobs} and state = 'retry' limit ${sampledMax})) as ends
      ) as sample`;
}

/**
 * One row for each of these queues, in this order. The names are our own, never a user's.
 * @param countedMax jobs counted one by one; a longer queue is to be estimated
 */
export function queueDepthStatement(name: string, queues: readonly string[], countedMax: number): Statement {
  return { name, text: queues.map((queue) => queueDepth(queue, countedMax)).join(' union all ') };
}

/** Whether any job of a queue is leased to a worker: one row with `leased`. From the same index, i14. */
export function isLeasedStatement(queue: string): string {
  return `select exists (select from broker.job where name = '${queue}' and state = 'active') as leased`;
}
