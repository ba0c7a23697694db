import type { Statement } from '../../platform/database.ts';

/**
 * All SQL of a trace. Each statement reads by a primary key, or a window of an index that is bounded in
 * rows; none writes, none waits for a row. Times are milliseconds since 1970, microseconds as a fraction.
 */

/** Rows at the head of an outbox whose messages are looked into; further on only those written at the right moments. */
const outboxRowsMax = 20_000;
/** Rows that are counted ahead of one that waits. */
const aheadMax = 100_000;
/** Dead letters looked through: one message each. */
const lettersMax = 5_000;

const ms = (column: string) => `(extract(epoch from ${column}) * 1000)::float8`;

/**
 * Who holds a row: a session locks it, deletes it, or has written a version nobody else sees yet. Postgres
 * notes its transaction in the row; as long as that runs, pg_locks knows whose it is.
 */
const holderOf = (row: string) => `
  (select json_build_object('pid', session.pid, 'name', session.application_name, 'user', session.usename)
     from pg_locks held join pg_stat_activity session on session.pid = held.pid
    where held.locktype = 'transactionid' and held.granted and held.transactionid = ${row}.xmax
    limit 1)`;

/** Whether a time is that moment, which has lost some of its microseconds on its way. */
const isNear = (column: string, moment: string) => `
  ${column} between to_timestamp(${moment}::float8 / 1000) - interval '5 microseconds'
                and to_timestamp(${moment}::float8 / 1000) + interval '5 microseconds'`;

/** The order. $1 its id. */
export const orderStatement: Statement = {
  name: 'trace_order',
  text: `
    select user_id, amount, status, reason, waiting.request_count, ${ms('created_at')} as created_at,
           ${ms('settled_at')} as settled_at, ${ms('waiting.requested_at')} as requested_at
      from orders.orders left join orders.waiting on waiting.order_id = orders.id
     where orders.id = $1`,
};

/**
 * The oldest row of an outbox with a message about the order; what is ahead are messages. $1 its id, $2 and $3 moments at which it may have been
 * written: an outbox row has the time of its transaction, as has what it is about.
 */
export function outboxStatement(schema: 'orders' | 'payments'): Statement {
  const outbox = `${schema}.outbox`;
  return {
    name: `trace_${schema}_outbox`,
    text: `
      select ${ms('waiting.created_at')} as created_at, ${holderOf('waiting')} as holder,
             (select coalesce(sum(message_count), 0)::int
                from (select message_count from ${outbox} before where before.seq < waiting.seq
                       limit ${aheadMax}) as counted) as ahead
        from (
          select seq, created_at, xmax from ${outbox}
           where (seq < (select min(seq) + ${outboxRowsMax} from ${outbox})
                  or ${isNear('created_at', '$2')} or ${isNear('created_at', '$3')})
             -- The text first: most rows are not about the order, and need not be parsed.
             and dead_letter is null and strpos(messages::text, $1::text) > 0
             and exists (select from json_array_elements(messages) as message where message ->> 'subject' = $1::text)
           order by seq limit 1
        ) as waiting`,
  };
}

/** What payments knows. $1 the order's id, $2 the id of its request's message. One row. */
export const paymentsStatement: Statement = {
  name: 'trace_payments',
  text: `
    select inbox.job_id, inbox.deliveries, ${ms('inbox.received_at')} as received_at,
           ${ms('inbox.processed_at')} as processed_at, ${holderOf('inbox')} as inbox_holder,
           case when inbox.processed_at is null and inbox.message_id is not null then
             (select count(*)::int from (select from payments.inbox before
                where before.processed_at is null and before.seq < inbox.seq limit ${aheadMax}) as counted)
           end as ahead,
           decisions.outcome, decisions.reason, ${ms('decisions.decided_at')} as decided_at,
           entries.seq as entry_seq, entries.balance as entry_balance
      from (select $1::uuid as order_id, $2::uuid as message_id) as about
      left join payments.inbox on inbox.message_id = about.message_id
      left join payments.decisions on decisions.order_id = about.order_id
      left join payments.entries on entries.order_id = about.order_id`,
};

/** Who holds the account of the order's user. $1 the user. */
export const accountStatement: Statement = {
  name: 'trace_account',
  text: `select ${holderOf('accounts')} as holder from payments.accounts where user_id = $1`,
};

/** Sessions of daemons that wait for a lock in this database, and who is in their way. */
export const waitsStatement: Statement = {
  name: 'trace_lock_waits',
  text: `
    select json_build_object('pid', waiter.pid, 'name', waiter.application_name, 'user', waiter.usename) as waiter,
           json_build_object('pid', holder.pid, 'name', holder.application_name, 'user', holder.usename) as holder
      from pg_locks waited
      join pg_stat_activity waiter on waiter.pid = waited.pid
      cross join lateral unnest(pg_blocking_pids(waited.pid)) as blocking (pid)
      join pg_stat_activity holder on holder.pid = blocking.pid
     where not waited.granted and waiter.application_name ~ '^tillbox (orders|payments)'
       and waiter.datname = current_database()
     limit 10`,
};

const batchOf = (data: string) =>
  `case jsonb_typeof(${data} -> 'messages') when 'array' then jsonb_array_length(${data} -> 'messages') else 1 end`;

const jobColumns = `
  id, name as queue, state::text, retry_count as retries, ${batchOf('data')} as batch,
  case jsonb_typeof(data -> 'messages') when 'array' then
    (select count(*)::int from jsonb_array_elements(data -> 'messages') as message
      where message ->> 'subject' = $2::text)
  else 1 end as copies,
  ${ms('created_on')} as created_at, ${ms('start_after')} as start_after, ${ms('started_on')} as started_at,
  ${ms('completed_on')} as completed_at,
  left(coalesce(output ->> 'message', output ->> 'name', output #>> '{}'), 300) as error`;

/** The jobs of a queue with these ids. $1 the queue, $2 the order's id, $3 the ids. */
export const jobsByIdStatement: Statement = {
  name: 'trace_jobs_by_id',
  text: `select ${jobColumns} from broker.job where name = $1 and id = any($3::uuid[])`,
};

/**
 * The jobs of a queue that carry a message about the order, among the first created from a moment on (by
 * pg-boss's index i15). `looked` says how many those were. $1 the queue, $2 the order's id, $3 the moment,
 * $4 what such jobs contain, as a batch and as a message alone, $5 how many are looked through.
 */
export const jobsFromStatement: Statement = {
  name: 'trace_jobs_from',
  text: `
    with looked as materialized (
      select *, data @> any($4::jsonb[]) as found from broker.job
       where name = $1 and created_on >= to_timestamp($3::float8 / 1000) order by created_on limit $5
    )
    select ${jobColumns}, (select count(*)::int from looked) as looked
      from looked where found
    union all
    select null, $1, null, null, null, null, null, null, null, null, null, (select count(*)::int from looked)`,
};

/**
 * Dead letters about the order, among the first created from a moment on. $1 the dead-letter queue, $2 the
 * order's id, $3 the moment, $4 what they contain.
 */
export const lettersStatement: Statement = {
  name: 'trace_letters',
  text: `
    select id, ${ms('created_on')} as at, ${ms('completed_on')} as completed_at, state::text,
           coalesce(data -> 'dead_letter' ->> 'reason', 'broker-gave-up') as reason,
           coalesce(data -> 'dead_letter' ->> 'detail', source_output ->> 'message', '') as detail,
           coalesce(source_id::text, data -> 'dead_letter' ->> 'job_id') as job_id,
           output ->> 'action' as action, output ->> 'who' as who, output ->> 'why' as why
      from (
        select * from broker.job
         where name = $1 and created_on >= to_timestamp($3::float8 / 1000) order by created_on limit ${lettersMax}
      ) as letters
     where data @> any($4::jsonb[]) and $2::text is not null
     order by created_on`,
};

/** The daemons pg-boss has registered, those started last first. */
export const instancesStatement: Statement = {
  name: 'trace_instances',
  text: `
    select name as service, pid, host, ${ms('started_on')} as started_at, ${ms('heartbeat_on')} as heard_at,
           ${ms('stopped_on')} as stopped_at,
           heartbeat_on < now() - heartbeat_seconds * 3 * interval '1 second' as silent
      from broker.instance where name in ('orders', 'payments') order by started_on desc limit 40`,
};

/** How many sessions the daemons of each service have open to this database. */
export const sessionsStatement: Statement = {
  name: 'trace_sessions',
  text: `
    select count(*) filter (where application_name like 'tillbox orders%')::int as orders,
           count(*) filter (where application_name like 'tillbox payments%')::int as payments
      from pg_stat_activity where datname = current_database()`,
};
