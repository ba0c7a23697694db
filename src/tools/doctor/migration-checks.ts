import type pg from 'pg';
import { type MigratedSchema, migrationSource } from '../../system/migrations.ts';
import { designedSchemas } from './designed-schemas.ts';
import type { ExaminedDatabase } from './examined-databases.ts';
import { type Finding, failure, ok, warning } from './finding.ts';
import { readStoredSchema, type SchemaParts } from './stored-schema.ts';

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
  const stored = await readStoredSchema(client, schema);
  const drift = [...differences(designedSchemas[schema], stored), ...(await idleGuards(client, schema))];
  const added = Object.keys(stored).filter((part) => !(part in designedSchemas[schema]));
  const check = `${schema} guards`;
  if (drift.length > 0) {
    return failure(
      check,
      `Somebody changed the database: ${[...drift, ...added.map((part) => `${part} was added`)].join(', ')}.`,
      `Put it back as migrations/${schema} makes it, then tillbox audit`,
    );
  }
  if (added.length > 0) {
    const detail = `Somebody added to the database: ${added.join(', ')}.`;
    return warning(check, detail, 'Keep what is yours in a schema of its own: a later migration may collide');
  }
  return ok(check, 'Tables, columns, constraints, indexes and triggers are as the migrations made them.');
}

function differences(designed: SchemaParts, stored: SchemaParts): string[] {
  return Object.entries(designed).flatMap(([part, definition]) => {
    const found = stored[part];
    if (found === undefined) return [`${part} is missing`];
    if (found === definition) return [];
    return [part.startsWith('column ') ? `${part} is ${found}, not ${definition}` : `${part} was changed`];
  });
}

/** What is there, and does not do its duty. */
async function idleGuards(client: pg.Client, schema: MigratedSchema): Promise<string[]> {
  const { rows } = await client.query<{ what: string }>(
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
  return rows.map(({ what }) => what);
}
