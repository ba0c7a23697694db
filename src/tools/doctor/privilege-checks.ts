import pg from 'pg';
import type { Logger } from '../../platform/logging.ts';
import { servicePrivileges } from '../../system/privileges.ts';
import { type Duty, roleUrl } from '../../system/roles.ts';
import type { ExaminedDatabase } from './examined-databases.ts';
import { type Finding, failure, ok, warning } from './finding.ts';

const ourSchemas = ['orders', 'payments', 'broker', 'tillbox'];

/** One thing a role may do, effectively: `update of amount on orders.orders`. */
interface Privilege {
  table: string;
  privilege: string;
  /** Columns it is limited to; null for the whole table. */
  columns: string[] | null;
}

/** Whether each role can log in, do its work, and nothing else. */
export async function checkPrivileges(
  databases: readonly ExaminedDatabase[],
  log: Logger,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const database of databases) {
    for (const duty of expectedDuties(database)) {
      const name = database.roles?.find((role) => role.duty === duty)?.name;
      const check = databases.length === 1 ? duty : `${duty} on ${database.label}`;
      if (name === undefined) {
        findings.push(failure(check, 'There is no role for it yet.', 'tillbox migrate'));
        continue;
      }
      findings.push(
        (await checkLogin(check, name, duty, database, log)) ??
          (await checkRole(check, name, duty, database)),
      );
    }
  }
  return findings;
}

/** None where the login may not read about roles. */
function expectedDuties({ names, roles }: ExaminedDatabase): Duty[] {
  return roles === undefined ? [] : [...names, 'auditor'];
}

/** What is wrong with the login; undefined when nothing is. */
async function checkLogin(
  check: string,
  name: string,
  duty: Duty,
  { url }: ExaminedDatabase,
  log: Logger,
): Promise<Finding | undefined> {
  let own: string;
  try {
    own = await roleUrl(url, duty, log);
  } catch (error) {
    if ((error as { code?: string }).code !== '28P01') throw error; // invalid_password
    return failure(check, `The server refuses the password of ${name}.`, 'tillbox migrate');
  }
  if (new URL(own).searchParams.get('options') !== `-c role=${name}`) return undefined;
  const detail = `The server asks ${name} for no password; tillbox logs in as administrator and takes the role.`;
  return warning(check, detail, `Let pg_hba.conf accept scram-sha-256 from it`);
}

async function checkRole(
  check: string,
  name: string,
  duty: Duty,
  { client }: ExaminedDatabase,
): Promise<Finding> {
  const power = await powersOf(client, name);
  if (power.length > 0) {
    const detail = `${name} ${power.join(' and ')}, so nothing keeps it to its own tables.`;
    return failure(
      check,
      detail,
      `alter role ${pg.escapeIdentifier(name)} nosuperuser nobypassrls nocreaterole nocreatedb noreplication; revoke other roles from it`,
    );
  }
  const held = await heldPrivileges(client, name);
  const excess = held.filter((privilege) => !isDesigned(duty, privilege));
  if (excess.length > 0) {
    const detail = `${name} may do more than it should: ${excess.map(describe).join(', ')}.`;
    return failure(check, detail, excess.map((privilege) => revocation(name, privilege)).join(' '));
  }
  const missing = await missingPrivileges(client, duty, name, held);
  if (missing.length > 0) {
    return failure(check, `${name} lacks what it needs: ${missing.join(', ')}.`, 'tillbox migrate grants it');
  }
  return ok(
    check,
    duty === 'auditor'
      ? `${name} can read everything and write nothing.`
      : `${name} can touch its own tables alone.`,
  );
}

/** What would let a role past every grant. */
async function powersOf(client: pg.Client, name: string): Promise<string[]> {
  const { rows } = await client.query<{ power: string }>(
    `select power from pg_roles r, lateral (values
        ('is a superuser', rolsuper), ('passes row security', rolbypassrls),
        ('may create roles', rolcreaterole), ('may create databases', rolcreatedb),
        ('may replicate', rolreplication)) powers (power, has)
      where rolname = $1 and has
     union all select 'is a member of ' || g.rolname from pg_auth_members m
       join pg_roles g on g.oid = m.roleid join pg_roles u on u.oid = m.member where u.rolname = $1`,
    [name],
  );
  return rows.map(({ power }) => power);
}

/** Everything a role may do in our schemas, whoever granted it, to itself or to everybody. */
async function heldPrivileges(client: pg.Client, name: string): Promise<Privilege[]> {
  const { rows } = await client.query<Privilege>(
    `select n.nspname || '.' || c.relname as table, lower(p) as privilege,
       case when has_table_privilege($1, c.oid, p) then null
            else array(select attname::text from pg_attribute
              where attrelid = c.oid and attnum > 0 and not attisdropped
                and has_column_privilege($1, c.oid, attnum, p) order by attname) end as columns
     from pg_class c join pg_namespace n on n.oid = c.relnamespace,
       unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) p
     where n.nspname = any($2) and c.relkind in ('r', 'p', 'v', 'm')
       and has_schema_privilege($1, n.oid, 'USAGE')
       and case when p in ('SELECT', 'INSERT', 'UPDATE') then has_any_column_privilege($1, c.oid, p)
                else has_table_privilege($1, c.oid, p) end
     order by 1, 2`,
    [name, ourSchemas],
  );
  return rows;
}

function isDesigned(duty: Duty, { table, privilege, columns }: Privilege): boolean {
  if (duty === 'broker') return table.startsWith('broker.');
  if (duty === 'auditor') return privilege === 'select' && !table.startsWith('tillbox.');
  const designed = servicePrivileges[duty].find((own) => own.table === table);
  if (designed === undefined) return false;
  if ((designed.may as readonly string[]).includes(privilege)) return true;
  if (privilege !== 'update' || columns === null) return false;
  return columns.every((column) => designed.updates?.includes(column));
}

async function missingPrivileges(
  client: pg.Client,
  duty: Duty,
  name: string,
  held: readonly Privilege[],
): Promise<string[]> {
  const holds = (table: string, privilege: string, columns?: readonly string[]) =>
    held.some(
      (own) =>
        own.table === table &&
        own.privilege === privilege &&
        (own.columns === null || columns?.every((column) => own.columns?.includes(column)) === true),
    );
  if (duty === 'broker') return missingOwnership(client, name);
  if (duty === 'auditor') {
    const { rows } = await client.query<{ table: string }>(
      `select schemaname || '.' || tablename as table from pg_tables where schemaname = any($1) order by 1`,
      [ourSchemas.filter((schema) => schema !== 'tillbox')],
    );
    return rows.filter(({ table }) => !holds(table, 'select')).map(({ table }) => `select on ${table}`);
  }
  return servicePrivileges[duty].flatMap(({ table, may, updates }) => [
    ...may.filter((privilege) => !holds(table, privilege)).map((privilege) => `${privilege} on ${table}`),
    ...(updates === undefined || holds(table, 'update', updates) ? [] : [`update on ${table}`]),
  ]);
}

/** pg-boss maintains its own schema, so its role must own that and what is in it. */
async function missingOwnership(client: pg.Client, name: string): Promise<string[]> {
  const { rows } = await client.query<{ what: string }>(
    `select 'the ownership of schema broker' as what
       where not exists (select from pg_namespace where nspname = 'broker' and nspowner = $1::regrole)
     union all select 'the ownership of broker.' || relname from pg_class
       where relnamespace = to_regnamespace('broker') and relkind in ('r', 'p') and relowner <> $1::regrole`,
    [JSON.stringify(name)],
  );
  return rows.map(({ what }) => what);
}

function describe({ table, privilege, columns }: Privilege): string {
  return columns === null ? `${privilege} on ${table}` : `${privilege} of ${columns.join(', ')} on ${table}`;
}

/** A schema of others is none of its business at all. */
function revocation(name: string, { table, privilege, columns }: Privilege): string {
  const what = columns === null ? privilege : `${privilege} (${columns.join(', ')})`;
  return `revoke ${what} on ${table} from ${pg.escapeIdentifier(name)}, public;`;
}
