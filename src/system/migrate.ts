import { setTimeout as pause } from 'node:timers/promises';
import knex from 'knex';
import pg from 'pg';
import { installBroker } from '../messaging/broker/installation.ts';
import { type DatabaseName, databaseNames } from '../platform/config.ts';
import { CodedError } from '../platform/errors.ts';
import type { Logger } from '../platform/logging.ts';
import { connectionOptions } from '../platform/postgres-connection.ts';
import { isTooBusyToConnect } from '../platform/postgres-errors.ts';
import { explainDatabaseError } from './database-errors.ts';
import { knexConfig, type MigratedSchema } from './migrations.ts';
import { createRolesTable, ensureRole, grantAuditor, grantService, roleUrl } from './roles.ts';

/** Any number that is ours: whoever holds it migrates, everybody else waits. */
const lockKey = 7_420_743_074_407;
/** Statements of a migration may take long on large tables. */
const statementMs = 600_000;
const oldestServerVersion = 150_000;
/** Where everything starts at once, the server may be too busy to let us in at first: for a connection, and in all. */
const patience = { connectMs: 15_000 };
const patienceMs = 30_000;
const againMs = 250;

/** Administrator URLs of the three databases; two may be the same. */
export type DatabaseUrls = Record<DatabaseName, string>;

/** What `migrate` is to do besides. */
export interface MigrateOptions {
  /** Gives every role a new password. Daemons that run find out, and log in with the new one. */
  rotate?: boolean;
}

/** What `migrate` did in one database. */
export interface Migrated {
  database: DatabaseName;
  /** Names of the migrations that were run now. */
  migrations: string[];
}

/**
 * Brings all databases up to date: schemas and tables (Knex), roles and privileges, pg-boss and the queues.
 * Safe to repeat, to run while daemons work, and to start several times at once: one does it, the others
 * wait and find it done.
 */
export async function migrate(
  urls: DatabaseUrls,
  log: Logger,
  options: MigrateOptions = {},
): Promise<Migrated[]> {
  const done: Migrated[] = [];
  for (const database of databaseNames) {
    done.push({
      database,
      migrations: await patiently(() =>
        withLock(urls[database], (admin) =>
          migrateOne(database, { url: urls[database], admin, log, rotate: options.rotate ?? false }),
        ),
      ),
    });
  }
  return done;
}

/** Runs `work`, which is safe to repeat, again while the server lets nobody in, for some seconds. */
async function patiently<Result>(work: () => Promise<Result>): Promise<Result> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isTooBusyToConnect(error) || performance.now() > deadline) throw explainDatabaseError(error);
      await pause(againMs);
    }
  }
}

async function migrateOne(
  database: DatabaseName,
  { url, admin, log, rotate }: { url: string; admin: pg.Client; log: Logger; rotate: boolean },
): Promise<string[]> {
  await createRolesTable(admin);
  const role = await ensureRole(admin, database, { rotate });
  const auditor = await ensureRole(admin, 'auditor', { rotate });
  if (database === 'broker') {
    await installBrokerAs(role, url, admin, auditor, log);
    return [];
  }
  const migrations = await runMigrations(database, url);
  await grantService(admin, database, role);
  await grantAuditor(admin, database, auditor);
  return migrations;
}

/** The broker's schema belongs to the broker's role, which installs into it and maintains it. */
async function installBrokerAs(role: string, url: string, admin: pg.Client, auditor: string, log: Logger) {
  await admin.query(`create schema if not exists broker authorization ${pg.escapeIdentifier(role)}`);
  const brokerUrl = await roleUrl(url, 'broker', log, patience);
  await installBroker(brokerUrl, patience);
  const owner = new pg.Client(connectionOptions(brokerUrl, 'tillbox migrate', patience));
  await owner.connect();
  try {
    await grantAuditor(owner, 'broker', auditor);
  } finally {
    await owner.end();
  }
}

async function runMigrations(schema: MigratedSchema, url: string): Promise<string[]> {
  const database = knex(knexConfig(schema, url));
  try {
    // We hold our own lock: whoever left Knex's behind was killed half-way.
    await database.migrate.forceFreeMigrationsLock();
    const [, names] = (await database.migrate.latest()) as [number, string[]];
    return names;
  } finally {
    await database.destroy();
  }
}

/** Runs `work` as the only migration of that database. The lock dies with the connection. */
async function withLock<Result>(url: string, work: (admin: pg.Client) => Promise<Result>): Promise<Result> {
  const options = connectionOptions(url, 'tillbox migrate', patience);
  const admin = new pg.Client({
    ...options,
    statement_timeout: statementMs,
    query_timeout: statementMs + 1_000,
    lock_timeout: 0,
    idle_in_transaction_session_timeout: 0,
  });
  admin.on('error', () => {});
  try {
    await admin.connect();
    await refuseOldServer(admin);
    await admin.query('select pg_advisory_lock($1)', [lockKey]);
    return await work(admin);
  } finally {
    await admin.end().catch(() => {});
  }
}

async function refuseOldServer(admin: pg.Client): Promise<void> {
  const { rows } = await admin.query<{ version: string }>(
    `select current_setting('server_version_num') as version`,
  );
  if (Number(rows[0]?.version) >= oldestServerVersion) return;
  throw new CodedError('usage', 'This Postgres is too old: tillbox needs version 15 or later.');
}
