import type { Knex } from 'knex';

/**
 * The other half of what the ledger's foreign keys did, for whoever may do more than the service. It costs
 * nothing: the service may neither update nor delete what these triggers look at.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create trigger entries_source_still_exists after update on payments.entries
      referencing new table as added for each statement
      execute function payments.refuse_entries_from_nowhere();

    create function payments.refuse_orphaned_entries() returns trigger language plpgsql as $$
    begin
      if tg_table_name = 'accounts' then
        if exists (select from payments.entries where entries.user_id = old.user_id)
           and not exists (select from payments.accounts where accounts.user_id = old.user_id)
        then
          raise exception 'entries belong to account %', old.user_id
            using errcode = 'foreign_key_violation', constraint = 'entries_source_exists';
        end if;
      elsif exists (select from payments.entries where entries.topup_id = old.id and not exists (
              select from payments.topups where topups.id = old.id and topups.user_id = entries.user_id))
      then
        raise exception 'an entry belongs to top-up %', old.id
          using errcode = 'foreign_key_violation', constraint = 'entries_source_exists';
      end if;
      return null;
    end $$;
    create trigger accounts_keep_entries after delete or update of user_id on payments.accounts
      for each row execute function payments.refuse_orphaned_entries();
    create trigger topups_keep_entries after delete or update of id, user_id on payments.topups
      for each row execute function payments.refuse_orphaned_entries();
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    drop trigger topups_keep_entries on payments.topups;
    drop trigger accounts_keep_entries on payments.accounts;
    drop function payments.refuse_orphaned_entries();
    drop trigger entries_source_still_exists on payments.entries;
  `);
}
