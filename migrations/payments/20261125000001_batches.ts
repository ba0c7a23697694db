import type { Knex } from 'knex';

/** A row of the outbox carries a batch; the ledger's references are checked a statement at a time. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    -- json, not jsonb: what is published is passed on as it was written, and never looked into.
    alter table payments.outbox add column messages json, add column message_count smallint not null default 1;
    update payments.outbox set messages = json_build_array(message);
    alter table payments.outbox
      drop column message,
      alter column messages set not null,
      -- A batch lives for milliseconds: compressing it would cost more than it saves.
      alter column messages set storage external,
      alter column message_count drop default,
      add constraint outbox_messages check (json_typeof(messages) = 'array' and message_count between 1 and 100),
      add constraint outbox_dead_letter_alone check (dead_letter is null or message_count = 1);
    comment on table payments.outbox is
      'A batch of messages that is to be published. A row leaves when it is published: a queue, not an archive.';

    -- The same rules, spelled so that checking them costs a fraction of a microsecond: bounded repetition costs
    -- ten, at every insert and every update.
    alter table payments.accounts
      drop constraint accounts_user_id_check, drop constraint accounts_idempotency_key_check,
      add constraint accounts_user_id_check
        check (length(user_id) between 1 and 64 and user_id collate "C" !~ '[^A-Za-z0-9._@:-]'),
      add constraint accounts_idempotency_key_check
        check (length(idempotency_key) between 1 and 255 and idempotency_key collate "C" !~ '[^!-~]');
    alter table payments.topups
      drop constraint topups_idempotency_key_check,
      add constraint topups_idempotency_key_check
        check (length(idempotency_key) between 1 and 255 and idempotency_key collate "C" !~ '[^!-~]');

    -- A foreign key looks up the account of each entry by itself; this looks up those of a whole statement.
    -- Nobody deletes an account or a top-up: no service has the privilege.
    alter table payments.entries drop constraint entries_user_id_fkey, drop constraint entries_topup_id_fkey;
    create function payments.refuse_entries_from_nowhere() returns trigger language plpgsql as $$
    begin
      if exists (select from added where not exists (
           select from payments.accounts where accounts.user_id = added.user_id))
         or exists (select from added where topup_id is not null and not exists (
           select from payments.topups where topups.id = added.topup_id and topups.user_id = added.user_id))
      then
        raise exception 'an entry must belong to an account and, where it names one, to a top-up of that account'
          using errcode = 'foreign_key_violation', constraint = 'entries_source_exists';
      end if;
      return null;
    end $$;
    create trigger entries_source_exists after insert on payments.entries
      referencing new table as added for each statement
      execute function payments.refuse_entries_from_nowhere();
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    drop trigger entries_source_exists on payments.entries;
    drop function payments.refuse_entries_from_nowhere();
    alter table payments.accounts
      drop constraint accounts_user_id_check, drop constraint accounts_idempotency_key_check,
      add constraint accounts_user_id_check check (user_id ~ '^[A-Za-z0-9._@:-]{1,64}$'),
      add constraint accounts_idempotency_key_check check (idempotency_key ~ '^[!-~]{1,255}$');
    alter table payments.topups
      drop constraint topups_idempotency_key_check,
      add constraint topups_idempotency_key_check check (idempotency_key ~ '^[!-~]{1,255}$');
    alter table payments.entries
      add constraint entries_user_id_fkey foreign key (user_id) references payments.accounts,
      add constraint entries_topup_id_fkey foreign key (topup_id) references payments.topups;

    alter table payments.outbox drop constraint outbox_messages, drop constraint outbox_dead_letter_alone,
      add column message jsonb, alter column messages drop not null;
    insert into payments.outbox (queue, message, dead_letter, created_at, message_count)
      select queue, element.content, dead_letter, created_at, 1
        from payments.outbox, lateral json_array_elements(messages) as element (content) order by seq;
    delete from payments.outbox where messages is not null;
    alter table payments.outbox drop column messages, drop column message_count,
      add check (dead_letter is not null or coalesce(jsonb_typeof(message) = 'object', false));
  `);
}
