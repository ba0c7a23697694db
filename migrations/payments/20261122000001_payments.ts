import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table payments.accounts (
      user_id text primary key check (user_id ~ '^[A-Za-z0-9._@:-]{1,64}$'),
      balance bigint not null default 0 check (balance >= 0),
      entry_count bigint not null default 0 check (entry_count >= 0),
      idempotency_key text constraint accounts_idempotency_key unique check (idempotency_key ~ '^[!-~]{1,255}$'),
      created_at timestamptz not null default now()
      -- Room in each page, so that a new balance stays beside the old one and no index is touched (HOT).
    ) with (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.02);
    comment on table payments.accounts is
      'The account of a user, at most one. Its balance is the sum of its entries and never negative.';
    comment on column payments.accounts.balance is 'In minor units, 1/100.';
    comment on column payments.accounts.entry_count is 'The seq of its newest entry.';

    create table payments.topups (
      id uuid primary key,
      user_id text not null references payments.accounts,
      amount bigint not null check (amount between 1 and 100000000000),
      balance bigint not null check (balance >= 0),
      idempotency_key text check (idempotency_key ~ '^[!-~]{1,255}$'),
      created_at timestamptz not null default now(),
      constraint topups_idempotency_key unique (user_id, idempotency_key)
    );
    comment on table payments.topups is 'Money put into an account, with the balance right after it.';

    create table payments.decisions (
      order_id uuid primary key,
      user_id text not null,
      amount bigint not null check (amount > 0),
      outcome text not null check (outcome in ('paid', 'failed')),
      reason text check (reason in ('ACCOUNT_NOT_FOUND', 'INSUFFICIENT_FUNDS')),
      decided_at timestamptz not null default now(),
      constraint decisions_reason check ((outcome = 'failed') = (reason is not null))
    );
    comment on table payments.decisions is
      'The one verdict on the payment of an order, for ever. The last guard against a second charge.';

    create table payments.entries (
      user_id text not null references payments.accounts,
      seq bigint not null check (seq > 0),
      amount bigint not null check (amount <> 0),
      balance bigint not null check (balance >= 0),
      topup_id uuid references payments.topups,
      order_id uuid,
      created_at timestamptz not null default now(),
      primary key (user_id, seq),
      -- A top-up adds, an order takes, and an entry comes from exactly one of them.
      constraint entries_source check (num_nonnulls(topup_id, order_id) = 1 and (amount > 0) = (order_id is null))
    );
    comment on table payments.entries is
      'The ledger: one movement of one account, numbered without a hole, with the balance after it. Append-only.';
    create unique index entries_order on payments.entries (order_id) where order_id is not null;
    create unique index entries_topup on payments.entries (topup_id) where topup_id is not null;

    create table payments.inbox (
      message_id uuid primary key,
      seq bigint generated always as identity,
      order_id uuid not null,
      user_id text not null,
      amount bigint not null,
      traceparent text,
      job_id text not null,
      deliveries integer not null default 1,
      received_at timestamptz not null default now(),
      processed_at timestamptz
    ) with (autovacuum_vacuum_scale_factor = 0.02);
    comment on table payments.inbox is
      'A payment request received. Work while processed_at is null; afterwards it suppresses duplicates, and may be pruned.';
    comment on column payments.inbox.seq is 'The order in which requests are decided.';
    comment on column payments.inbox.deliveries is 'How often it was delivered; all but the first were duplicates.';
    create index inbox_waiting on payments.inbox (seq) where processed_at is null;

    create table payments.outbox (
      seq bigint generated always as identity primary key,
      queue text not null check (queue in ('payment-results', 'payment-requests-dead-letters')),
      message jsonb,
      dead_letter jsonb,
      created_at timestamptz not null default now(),
      check (dead_letter is not null or coalesce(jsonb_typeof(message) = 'object', false))
    ) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
            autovacuum_vacuum_insert_threshold = -1, autovacuum_analyze_threshold = 5000);
    comment on table payments.outbox is
      'A message that is to be published. A row leaves when it is published: a queue, not an archive.';
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(
    'drop table payments.outbox, payments.inbox, payments.entries, payments.decisions, payments.topups, payments.accounts',
  );
}
