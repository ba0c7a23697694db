import type pg from 'pg';
import type { MigratedSchema } from '../../system/migrations.ts';

/**
 * What a schema is made of: `column orders.amount` and its type, `function name` and a hash of its body,
 * `constraint name`, `index name`, `trigger name`. The text of constraints and indexes differs from one version of
 * Postgres to the next, so of them there are the names.
 */
export type SchemaParts = Readonly<Record<string, string>>;

/** The parts of a schema as they are now, those of knex's own tables left out. Any login may read them. */
export async function readStoredSchema(client: pg.Client, schema: MigratedSchema): Promise<SchemaParts> {
  const { rows } = await client.query<{ part: string; definition: string }>(
    `with tables as (
       select oid, relname from pg_class
        where relnamespace = to_regnamespace($1) and relkind in ('r', 'p') and relname not like 'migrations%'
     )
     select 'column ' || relname || '.' || attname as part,
            format_type(atttypid, atttypmod) || case when attnotnull then ' not null' else '' end as definition
       from pg_attribute join tables on tables.oid = attrelid where attnum > 0 and not attisdropped
     -- Since Postgres 18 a column that is not null has a constraint for it too.
     union all select 'constraint ' || conname, ''
       from pg_constraint join tables on tables.oid = conrelid where contype <> 'n'
     union all select 'index ' || indexes.relname, ''
       from pg_index join tables on tables.oid = indrelid join pg_class indexes on indexes.oid = indexrelid
       where not exists (select from pg_constraint where conindid = indexrelid and contype in ('p', 'u', 'x'))
     union all select 'trigger ' || tgname, ''
       from pg_trigger join tables on tables.oid = tgrelid where not tgisinternal
     union all select 'function ' || proname, md5(prosrc) from pg_proc where pronamespace = to_regnamespace($1)
     order by 1`,
    [schema],
  );
  return Object.fromEntries(rows.map(({ part, definition }) => [part, definition]));
}
