import { rateSeconds } from '../../messaging/queue-depth-store.ts';
import type { Statement } from '../../platform/database.ts';

/**
 * The SQL of `tillbox top`, besides that of the queues. Each statement is run once a round, reads a window
 * of an index that is bounded in rows, and costs the same with millions of orders. Times are milliseconds
 * since 1970, microseconds as a fraction.
 */

/** Whether a time is after the moment $1 and not after $2. */
const isBetween = (column: string) =>
  `(${column} > to_timestamp($1::float8 / 1000) and ${column} <= to_timestamp($2::float8 / 1000))`;

/** The newest orders that are looked at for the rate at which they come. */
const newestMax = 2_000;
/** Jobs done since the round before, of each of which two orders are looked at. */
const sampledJobsMax = 100;
/** Rows of one kind of event in a round. */
const eventsMax = 1_000;

const ms = (column: string) => `(extract(epoch from ${column}) * 1000)::float8`;

/**
 * Orders created a second: over the last five seconds, or over as many as the newest orders cover. By the
 * primary key, as ids of orders rise with time (UUID version 7).
 */
export const createdStatement: Statement = {
  name: 'top_created',
  text: `
    with newest as materialized (
      select created_at from orders.orders order by id desc limit ${newestMax}
    ), recent as (
      select count(*) as orders, extract(epoch from now() - min(created_at)) as seconds
        from newest where created_at > now() - interval '${rateSeconds} seconds'
    )
    select ${ms('now()')} as now,
           (case when orders = ${newestMax} then orders / greatest(seconds, 0.001) else orders / ${rateSeconds}.0 end)::float8
             as created_per_s
      from recent`,
};

/** Orders whose payment the sweep requested again lately and that are still open; $1 and $2 since and until when. */
export const sweptStatement: Statement = {
  name: 'top_swept',
  text: `
    select count(*)::int as count, ${ms('max(requested_at)')} as at
      from (
        select requested_at, request_count from orders.waiting
         where ${isBetween('requested_at')}
         order by requested_at desc limit ${eventsMax}
      ) as requested
     where request_count > 1`,
};

/**
 * Orders whose result was delivered since the round before: the first and the last of each of the jobs done
 * last (pg-boss's index i16), so that both ends of a batch count. $1 since when.
 */
export const deliveredStatement: Statement = {
  name: 'top_delivered',
  text: `
    select coalesce(data -> 'messages' -> 0 ->> 'subject', '') as first,
           coalesce(data -> 'messages' -> -1 ->> 'subject', '') as last,
           ${ms('created_on')} as published_at, ${ms('completed_on')} as done_at
      from broker.job
     where name = 'payment-results' and completed_on > to_timestamp($1::float8 / 1000) and state = 'completed'
     order by completed_on desc limit ${sampledJobsMax}`,
};

// A look-up for each order, never a join: that would be planned as a scan of all decisions ever made.
/** What payments knows of orders; $1 the ids of their requests' messages. */
export const decidedStatement: Statement = {
  name: 'top_decided',
  text: `
    select order_id, job_id, ${ms('received_at')} as received_at,
           (select ${ms('decided_at')} from payments.decisions where decisions.order_id = inbox.order_id) as decided_at
      from payments.inbox where message_id = any($1::uuid[])`,
};

/** When jobs of the queue of requests were created; $1 their ids. */
export const publishedStatement: Statement = {
  name: 'top_published',
  text: `
    select id, ${ms('created_on')} as published_at from broker.job
     where name = 'payment-requests' and id = any($1::uuid[])`,
};

/** When orders were created and settled; $1 their ids. */
export const settledStatement: Statement = {
  name: 'top_settled',
  text: `
    select id, ${ms('created_at')} as created_at, ${ms('settled_at')} as settled_at
      from orders.orders where id = any($1::uuid[]) and settled_at is not null`,
};

const letters = (queue: string) => `
  (select 'dead-letter' as event, '${queue}' as queue, reason as detail, count(*)::int as count, ${ms('max(at)')} as at
     from (
       select coalesce(data -> 'dead_letter' ->> 'reason', 'broker-gave-up') as reason, created_on as at
         from broker.job
        where name = '${queue}-dead-letters' and ${isBetween('created_on')}
        order by created_on desc limit ${eventsMax}
     ) as letters
    group by reason)
  union all
  (select action, '${queue}', '', count(*)::int, ${ms('max(at)')}
     from (
       select output ->> 'action' as action, completed_on as at from broker.job
        where name = '${queue}-dead-letters' and ${isBetween('completed_on')}
        order by completed_on desc limit ${eventsMax}
     ) as handled
    where action in ('redriven', 'discarded') group by action)
  union all
  (select 'retry', '${queue}', coalesce(max(left(output ->> 'message', 200)), ''), count(*)::int, ${ms('max(started_on)')}
     from (
       select output, started_on from broker.job
        where name = '${queue}' and state = 'retry' and ${isBetween('started_on')}
        limit ${eventsMax}
     ) as failed
   having count(*) > 0)`;

/** What went wrong in the queues lately, and what operators did about it; $1 and $2 since and until when. */
export const eventsStatement: Statement = {
  name: 'top_events',
  text: [letters('payment-requests'), letters('payment-results')].join(' union all '),
};

/** The daemons pg-boss has registered that started or stopped lately; $1 and $2 since and until when. */
export const livesStatement: Statement = {
  name: 'top_lives',
  text: `
    select id, name as service, pid, ${ms('started_on')} as started_at, ${ms('stopped_on')} as stopped_at
      from broker.instance
     where name in ('orders', 'payments')
       and (${isBetween('started_on')} or ${isBetween('stopped_on')})
     order by started_on desc limit 50`,
};
