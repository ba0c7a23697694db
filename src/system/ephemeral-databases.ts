import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { databaseNames } from '../platform/config.ts';
import { connectionOptions } from '../platform/postgres-connection.ts';
import { explainDatabaseError } from './database-errors.ts';
import type { DatabaseUrls } from './migrate.ts';

/** Fresh databases on servers given by URL, and the way to be rid of them. */
export interface EphemeralDatabases {
  urls: DatabaseUrls;
  /** Drops them with their roles. */
  drop(): Promise<void>;
}

/**
 * Creates a fresh database on each of the servers, one where several URLs name the same server and
 * database. The URLs must be of a role that may create databases.
 * @param options.template a migrated database on the same server to copy
 */
export async function createEphemeralDatabases(
  given: DatabaseUrls,
  options: { prefix?: string; template?: string } = {},
): Promise<EphemeralDatabases> {
  const name = `${options.prefix ?? 'tillbox_ephemeral'}_${randomBytes(4).toString('hex')}`;
  const servers = [...new Set(databaseNames.map((database) => given[database]))];
  // Its files: page by page through the log, as is the default, it takes ten times the work.
  const template =
    options.template === undefined
      ? ''
      : ` template ${pg.escapeIdentifier(options.template)} strategy file_copy`;
  for (const server of servers) {
    await asAdministrator(server, (admin) =>
      admin.query(`create database ${pg.escapeIdentifier(name)}${template}`),
    );
  }
  const urls = Object.fromEntries(
    databaseNames.map((database) => [database, inDatabase(given[database], name)]),
  ) as DatabaseUrls;
  const drop = async () => {
    for (const server of servers) await asAdministrator(server, (admin) => dropDatabase(admin, server, name));
  };
  return { urls, drop };
}

/** The same server and login, another database. */
export function inDatabase(url: string, name: string): string {
  const other = new URL(url);
  other.pathname = `/${encodeURIComponent(name)}`;
  return other.href;
}

async function dropDatabase(admin: pg.Client, server: string, name: string): Promise<void> {
  const roles = await asAdministrator(inDatabase(server, name), async (inside) => {
    const table = await inside.query(`select to_regclass('tillbox.roles') is not null as there`);
    if (!table.rows[0].there) return [];
    return (await inside.query<{ name: string }>('select name from tillbox.roles')).rows;
  });
  await admin.query(`drop database ${pg.escapeIdentifier(name)} with (force)`);
  for (const role of roles) {
    // A role that a copy of this database uses as well stays for the last of them.
    if (role.name.startsWith(name))
      await admin.query(`drop role if exists ${pg.escapeIdentifier(role.name)}`);
  }
}

async function asAdministrator<Result>(
  url: string,
  work: (admin: pg.Client) => Promise<Result>,
): Promise<Result> {
  const admin = new pg.Client({
    ...connectionOptions(url, 'tillbox'),
    statement_timeout: 60_000,
    query_timeout: 60_000,
  });
  admin.on('error', () => {});
  try {
    await admin.connect();
    return await work(admin);
  } catch (error) {
    throw explainDatabaseError(error);
  } finally {
    await admin.end().catch(() => {});
  }
}
