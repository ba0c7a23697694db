import type { Knex } from 'knex';

/** A row of the outbox carries a batch; orders that wait stand in a table of their own. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    -- json, not jsonb: what is published is passed on as it was written, and never looked into.
    alter table orders.outbox add column messages json, add column message_count smallint not null default 1;
    update orders.outbox set messages = json_build_array(message);
    alter table orders.outbox
      drop column message,
      alter column messages set not null,
      -- A batch lives for milliseconds: compressing it would cost more than it saves.
      alter column messages set storage external,
      alter column message_count drop default,
      add constraint outbox_messages check (json_typeof(messages) = 'array' and message_count between 1 and 100),
      add constraint outbox_dead_letter_alone check (dead_letter is null or message_count = 1);
    comment on table orders.outbox is
      'A batch of messages that is to be published. A row leaves when it is published: a queue, not an archive.';

    create table orders.waiting (
      order_id uuid primary key,
      requested_at timestamptz not null default now(),
      request_count smallint not null default 1 check (request_count > 0)
    ) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
            autovacuum_vacuum_insert_threshold = -1, autovacuum_analyze_threshold = 5000);
    comment on table orders.waiting is
      'An order that is NEW: its payment was requested and is not settled. What the sweep looks through.';
    comment on column orders.waiting.requested_at is 'When its payment was last requested.';
    comment on column orders.waiting.request_count is 'How often its payment was requested; the sweep adds to it.';
    -- The sweep begins with those that wait longest, however many there are.
    create index waiting_by_request on orders.waiting (requested_at);
    insert into orders.waiting (order_id, requested_at, request_count)
      select id, requested_at, request_count from orders.orders where status = 'NEW';

    -- The same rules, spelled so that checking them costs a fraction of a microsecond: bounded repetition costs
    -- ten, at every insert and every update.
    alter table orders.orders
      drop constraint orders_user_id_check, drop constraint orders_idempotency_key_check,
      add constraint orders_user_id_check
        check (length(user_id) between 1 and 64 and user_id collate "C" !~ '[^A-Za-z0-9._@:-]'),
      add constraint orders_idempotency_key_check
        check (length(idempotency_key) between 1 and 255 and idempotency_key collate "C" !~ '[^!-~]');

    -- Settling changes no indexed column any more, and finds room in the page: it touches no index (HOT).
    drop index orders.orders_waiting;
    alter table orders.orders drop column requested_at, drop column request_count, set (fillfactor = 45);
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    alter table orders.orders
      drop constraint orders_user_id_check, drop constraint orders_idempotency_key_check,
      add constraint orders_user_id_check check (user_id ~ '^[A-Za-z0-9._@:-]{1,64}$'),
      add constraint orders_idempotency_key_check check (idempotency_key ~ '^[!-~]{1,255}$'),
      add column requested_at timestamptz not null default now(),
      add column request_count smallint not null default 1 check (request_count > 0),
      reset (fillfactor);
    update orders.orders set requested_at = waiting.requested_at, request_count = waiting.request_count
      from orders.waiting where orders.id = waiting.order_id;
    create index orders_waiting on orders.orders (requested_at) where status = 'NEW';
    drop table orders.waiting;

    alter table orders.outbox drop constraint outbox_messages, drop constraint outbox_dead_letter_alone,
      add column message jsonb, alter column messages drop not null;
    insert into orders.outbox (queue, message, dead_letter, created_at, message_count)
      select queue, element.content, dead_letter, created_at, 1
        from orders.outbox, lateral json_array_elements(messages) as element (content) order by seq;
    delete from orders.outbox where messages is not null;
    alter table orders.outbox drop column messages, drop column message_count,
      add check (dead_letter is not null or coalesce(jsonb_typeof(message) = 'object', false));
  `);
}
