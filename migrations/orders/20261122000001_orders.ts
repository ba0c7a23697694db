import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table orders.orders (
      id uuid primary key,
      user_id text not null check (user_id ~ '^[A-Za-z0-9._@:-]{1,64}$'),
      amount bigint not null check (amount between 1 and 100000000000),
      description text not null default '' check (char_length(description) <= 500),
      status text not null default 'NEW' check (status in ('NEW', 'FINISHED', 'CANCELED')),
      reason text,
      idempotency_key text check (idempotency_key ~ '^[!-~]{1,255}$'),
      created_at timestamptz not null default now(),
      settled_at timestamptz,
      requested_at timestamptz not null default now(),
      request_count smallint not null default 1 check (request_count > 0),
      constraint orders_idempotency_key unique (user_id, idempotency_key),
      constraint orders_settled check ((status = 'NEW') = (settled_at is null)),
      constraint orders_reason check ((status = 'CANCELED') = (reason is not null))
    ) with (autovacuum_vacuum_scale_factor = 0.05);

    comment on table orders.orders is
      'An order of a user. NEW until its payment is decided, then FINISHED or CANCELED for ever.';
    comment on column orders.orders.amount is 'In minor units, 1/100.';
    comment on column orders.orders.requested_at is 'When its payment was last requested.';
    comment on column orders.orders.request_count is 'How often its payment was requested; the sweep adds to it.';

    -- A user's orders, newest first; the id decides between orders of one transaction.
    create index orders_by_user on orders.orders (user_id, created_at desc, id desc);
    -- What the sweep looks for: the few orders that wait.
    create index orders_waiting on orders.orders (requested_at) where status = 'NEW';

    create function orders.refuse_change_of_final_order() returns trigger language plpgsql as $$
    begin
      raise exception 'order % is final: %', old.id, old.status using errcode = 'integrity_constraint_violation';
    end $$;
    create trigger final_order_never_changes before update on orders.orders
      for each row when (old.status <> 'NEW' and (old.status, old.reason, old.amount, old.user_id, old.settled_at)
        is distinct from (new.status, new.reason, new.amount, new.user_id, new.settled_at))
      execute function orders.refuse_change_of_final_order();

    create table orders.outbox (
      seq bigint generated always as identity primary key,
      queue text not null check (queue in ('payment-requests', 'payment-results-dead-letters')),
      message jsonb,
      dead_letter jsonb,
      created_at timestamptz not null default now(),
      check (dead_letter is not null or coalesce(jsonb_typeof(message) = 'object', false))
    ) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
            autovacuum_vacuum_insert_threshold = -1, autovacuum_analyze_threshold = 5000);
    comment on table orders.outbox is
      'A message that is to be published. A row leaves when it is published: a queue, not an archive.';
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    drop table orders.outbox;
    drop table orders.orders;
    drop function orders.refuse_change_of_final_order();
  `);
}
