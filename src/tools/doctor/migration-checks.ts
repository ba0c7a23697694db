import type pg from 'pg';
import { type MigratedSchema, migrationSource } from '../../system/migrations.ts';
import { servicePrivileges } from '../../system/privileges.ts';
import type { ExaminedDatabase } from './examined-databases.ts';
import { type Finding, failure, ok } from './finding.ts';

/** What in each schema the promise rests on, beside the tables: constraints, unique indexes and triggers. */
const guards: Record<MigratedSchema, readonly string[]> = {
  orders: [
    'orders_pkey',
    'orders_idempotency_key',
    'orders_settled',
    'orders_reason',
    'final_order_never_changes',
    'waiting_pkey',
  ],
  payments: [
    'accounts_pkey',
    'accounts_balance_check',
    'topups_idempotency_key',
    'decisions_pkey',
    'decisions_reason',
    'entries_pkey',
    'entries_source',
    'entries_source_exists',
    'entries_source_still_exists',
    'accounts_keep_entries',
    'topups_keep_entries',
    'entries_order',
    'entries_topup',
    'inbox_pkey',
  ],
};

/** Whether each schema is what this version's migrations made, and still what they made. */
export async function checkMigrations(databases: readonly ExaminedDatabase[]): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const { names, client, roles } of databases) {
    for (const schema of names) {
      if (schema === 'broker') continue;
      const migrations = await checkApplied(client, schema);
      if (migrations === undefined) continue;
      findings.push(migrations);
      if (migrations.level === 'ok' && roles !== undefined) findings.push(await checkDrift(client, schema));
    }
  }
  return findings;
}

/** Undefined when this login may not know. */
async function checkApplied(client: pg.Client, schema: MigratedSchema): Promise<Finding | undefined> {
  const source = migrationSource(schema);
  const known = (await source.getMigrations([])).map((file) => source.getMigrationName(file));
  const applied = await appliedMigrations(client, schema);
  if (applied === 'hidden') return undefined;
  const pending = known.filter((name) => !applied.includes(name));
  const strange = applied.filter((name) => !known.includes(name));
  if (strange.length > 0) {
    const detail = `The database has ${strange.join(', ')}, which this version of tillbox does not know.`;
    return failure(schema, detail, 'Install the version of tillbox that made it, or a later one');
  }
  if (pending.length === known.length) {
    return failure(schema, 'The database has not been migrated.', 'tillbox migrate (tillbox up does it too)');
  }
  if (pending.length > 0) {
    const detail = `The database is half migrated: ${pending.join(', ')} ${pending.length === 1 ? 'is' : 'are'} missing.`;
    return failure(schema, detail, 'tillbox migrate (tillbox up does it too)');
  }
  return ok(schema, `All migrations are done, the last is ${known.at(-1)}.`);
}

async function appliedMigrations(client: pg.Client, schema: MigratedSchema): Promise<string[] | 'hidden'> {
  try {
    const { rows } = await client.query<{ name: string }>(
      `select name from ${schema}.migrations order by id`,
    );
    return rows.map(({ name }) => name);
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === '42P01' || code === '3F000') return []; // undefined_table, invalid_schema_name
    if (code === '42501') return 'hidden'; // insufficient_privilege
    throw error;
  }
}

async function checkDrift(client: pg.Client, schema: MigratedSchema): Promise<Finding> {
  const { rows: present } = await client.query<{ name: string }>(
    `select relname::text as name from pg_class where relnamespace = $1::regnamespace
     union select conname from pg_constraint where connamespace = $1::regnamespace
     union select tgname from pg_trigger join pg_class on pg_class.oid = tgrelid
       where relnamespace = $1::regnamespace`,
    [schema],
  );
  const names = new Set(present.map(({ name }) => name));
  const tables = servicePrivileges[schema].map(({ table }) => table.replace(`${schema}.`, ''));
  const missing = [...tables, ...guards[schema]].filter((name) => !names.has(name));
  const { rows: idle } = await client.query<{ what: string }>(
    `select 'index ' || indexrelid::regclass || ' is invalid' as what
       from pg_index join pg_class on pg_class.oid = indexrelid
       where relnamespace = $1::regnamespace and not indisvalid
     union all select 'trigger ' || tgname || ' on ' || tgrelid::regclass || ' is disabled'
       from pg_trigger join pg_class on pg_class.oid = tgrelid
       where relnamespace = $1::regnamespace and tgenabled = 'D'
     union all select 'constraint ' || conname || ' on ' || conrelid::regclass || ' is not validated'
       from pg_constraint where connamespace = $1::regnamespace and not convalidated`,
    [schema],
  );
  const drift = [...missing.map((name) => `${name} is missing`), ...idle.map(({ what }) => what)];
  const check = `${schema} guards`;
  if (drift.length === 0)
    return ok(check, 'Tables, constraints and triggers are as the migrations made them.');
  return failure(
    check,
    `Somebody changed the database: ${drift.join(', ')}.`,
    `Put it back as migrations/${schema} makes it, then tillbox audit`,
  );
}
