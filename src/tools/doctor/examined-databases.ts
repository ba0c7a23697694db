import pg from 'pg';
import { type DatabaseName, databaseNames } from '../../platform/config.ts';
import { CodedError } from '../../platform/errors.ts';
import { connectionOptions } from '../../platform/postgres-connection.ts';
import { explainDatabaseError } from '../../system/database-errors.ts';
import type { Duty } from '../../system/roles.ts';
import { type Finding, failure, ok, warning } from './finding.ts';
import { serviceAt } from './service-at.ts';
import { type Surroundings, usesOwnDatabases } from './surroundings.ts';

/** One database that could be reached; it may serve as several of the three. */
export interface ExaminedDatabase {
  names: DatabaseName[];
  /** The names for people: `orders, payments`. */
  label: string;
  url: string;
  /** Logged in as the URL says. */
  client: pg.Client;
  /** Who logs in for what; empty before the first migration, undefined when this login may not know. */
  roles: { duty: Duty; name: string }[] | undefined;
}

/** What could be reached, and what was found on the way. */
export interface ReachedDatabases {
  databases: ExaminedDatabase[];
  findings: Finding[];
}

/** Connects to every database there is to look at. The caller closes them. */
export async function reachDatabases(surroundings: Surroundings): Promise<ReachedDatabases> {
  const { urls, findings } = databaseUrls(surroundings);
  if (urls.size === 0 && findings.length === 0) findings.push(await nothingToLookAt(surroundings));
  const databases: ExaminedDatabase[] = [];
  for (const [url, names] of urls) {
    const label = names.join(', ');
    try {
      const client = await connect(url);
      const database: ExaminedDatabase = { names, label, url, client, roles: undefined };
      databases.push(database);
      findings.push(await readRoles(database));
    } catch (error) {
      findings.push(unreachable(label, error, names));
    }
  }
  return { databases, findings };
}

/** Each URL with what it serves as: those the environment names, else the running system's, else the embedded one's. */
function databaseUrls(surroundings: Surroundings) {
  const { config, runtime, supervised, embedded } = surroundings;
  const findings: Finding[] = [];
  const urls = new Map<string, DatabaseName[]>();
  for (const name of databaseNames) {
    const url = usesOwnDatabases(surroundings)
      ? config.databaseUrls[name]
      : ((supervised ? runtime?.databases[name] : undefined) ?? embedded.url);
    if (url !== undefined) urls.set(url, [...(urls.get(url) ?? []), name]);
    else if (usesOwnDatabases(surroundings)) {
      const variable = `${name.toUpperCase()}_DATABASE_URL`;
      findings.push(
        failure(name, `${variable} is not set, but another one is.`, `Set ${variable} or DATABASE_URL`),
      );
    }
  }
  return { urls, findings };
}

/** Where nothing runs, all is well without databases; a system that runs has some, which must not pass for healthy. */
async function nothingToLookAt({ config, embedded, serving }: Surroundings): Promise<Finding> {
  const { url, ready } = serving.gateway;
  if (ready || (await serviceAt(url)) === 'gateway') {
    const detail = `A gateway answers at ${url}, but neither TILLBOX_HOME (${config.home}) nor a database URL says where its databases are: they were not looked at.`;
    return failure(
      'postgres',
      detail,
      'Set TILLBOX_HOME or the database URLs as they are for what runs; tillbox-admin doctor does with systemd',
    );
  }
  const state =
    embedded.dataFolder === undefined ? 'has no data yet' : `does not run (${embedded.dataFolder})`;
  const detail = `The embedded Postgres ${state}, so databases were not looked at.`;
  return warning('postgres', detail, 'tillbox up, then tillbox doctor again');
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client(connectionOptions(url, 'tillbox doctor'));
  client.on('error', () => {});
  await client.connect();
  return client;
}

function unreachable(label: string, error: unknown, names: readonly DatabaseName[]): Finding {
  const explained = explainDatabaseError(error);
  const detail = explained instanceof CodedError ? explained.message : String((error as Error).message);
  const variables = names.map((name) => `${name.toUpperCase()}_DATABASE_URL`).join(', ');
  return failure(label, detail, `Start that server, or correct ${variables} or DATABASE_URL`);
}

/** Finds the roles, where the login may read about them, and says what login it is. */
async function readRoles(database: ExaminedDatabase): Promise<Finding> {
  const { client, label } = database;
  const { rows } = await client
    .query<{ me: string; there: boolean; readable: boolean }>(
      `select current_user as me, to_regclass('tillbox.roles') is not null as there,
       case when to_regclass('tillbox.roles') is null then false
            else has_table_privilege('tillbox.roles', 'select') end as readable`,
    )
    .catch(hiddenSchema);
  const { me = '', there = true, readable = false } = rows[0] ?? {};
  if (readable) {
    database.roles = (
      await client.query<{ duty: Duty; name: string }>('select duty, name from tillbox.roles order by duty')
    ).rows;
  }
  if (!there) database.roles = [];
  if (readable || !there) return ok(label, `It answers; the login is ${me}.`);
  const detail = `The login ${me} is not an administrator's: migrations and privileges were not looked at.`;
  return warning(label, detail, 'Set the database URLs to an administrator for this command');
}

/** Who may not use the schema `tillbox` may not even ask about its tables. */
function hiddenSchema(error: unknown): { rows: { me: string; there: boolean; readable: boolean }[] } {
  if ((error as { code?: string }).code !== '42501') throw error; // insufficient_privilege
  return { rows: [{ me: 'of a service', there: true, readable: false }] };
}
