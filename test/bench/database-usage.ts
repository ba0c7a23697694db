import type pg from 'pg';

/** What a running system looks like from its database. The connection is an administrator's. */

/** Connections of the system now, ours and the server's own processes left out. */
export async function countConnections(admin: pg.Client): Promise<number> {
  const { rows } = await admin.query<{ count: number }>(`
    select count(*) from pg_stat_activity
     where backend_type = 'client backend' and datname = current_database() and application_name <> 'bench'`);
  return rows[0]?.count ?? Number.NaN;
}

/** The size of a table and of its indexes, in megabytes (10^6 bytes). */
export interface TableSize {
  name: string;
  table: number;
  indexes: number;
}

/** The tables that work like queues: outboxes, inbox, waiting orders, pg-boss's jobs. All of the broker's count as one. */
export async function queueSizes(admin: pg.Client): Promise<TableSize[]> {
  const { rows } = await admin.query<TableSize>(`
    with tables as (
      select case nspname when 'broker' then 'broker' else nspname || '.' || relname end as name, pg_class.oid
        from pg_class join pg_namespace on pg_namespace.oid = relnamespace
       where relkind = 'r'
         and (nspname = 'broker' or nspname in ('orders', 'payments') and relname in ('outbox', 'inbox', 'waiting'))
    )
    select name, sum(pg_table_size(oid))::float8 / 1000000 as table,
           sum(pg_indexes_size(oid))::float8 / 1000000 as indexes
      from tables group by name order by name`);
  return rows;
}

/** Begins to count statements, in every connection. */
export async function startCountingStatements(admin: pg.Client): Promise<void> {
  await admin.query('create extension if not exists pg_stat_statements');
  await track(admin, 'top');
  await admin.query('select pg_stat_statements_reset()');
}

/** Statements since then by the role that sent them (without its database's name), transaction control left out. */
export async function stopCountingStatements(admin: pg.Client): Promise<Map<string, number>> {
  const { rows } = await admin.query<{ role: string; calls: number }>(`
    select substr(rolname, length(current_database()) + 2) as role, sum(calls) as calls
      from pg_stat_statements join pg_roles on pg_roles.oid = userid
     where dbid = (select oid from pg_database where datname = current_database())
       and query !~* '^(begin|commit|rollback|set|listen)'
       and starts_with(rolname, current_database())
     group by rolname`);
  await track(admin, 'none');
  return new Map(rows.map(({ role, calls }) => [role, calls]));
}

async function track(admin: pg.Client, what: 'top' | 'none'): Promise<void> {
  await admin.query(`alter system set pg_stat_statements.track = '${what}'`);
  await admin.query('select pg_reload_conf()');
}
