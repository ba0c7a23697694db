import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import pg from 'pg';
import { CodedError } from '../errors.ts';
import { runAs } from './account.ts';
import type { PostgresBinaries } from './binaries.ts';
import { ignoring, partialName, removeAbandoned } from './partial.ts';
import { giveTo, type ServerPlace } from './place.ts';
import { serverHost } from './settings.ts';

/** Milliseconds initdb may take; 0.9 s was measured. */
const initdbLimitMs = 120_000;
/** Milliseconds to connect, and for one administrative statement. */
const connectLimitMs = 10_000;

/** Makes the data unless they exist: whole under another name, then renamed. The first of two wins. */
export async function initialiseData(
  place: ServerPlace,
  binaries: PostgresBinaries,
  fsync: boolean,
): Promise<void> {
  const data = join(place.folder, 'data');
  if (await stat(data).catch(() => undefined)) return;
  await removeAbandoned(place.folder);
  const partial = partialName(data);
  try {
    await mkdir(partial, { mode: 0o700 });
    await giveTo(place.account, partial);
    const outcome = await runAs(
      place.account,
      binaries.initdb,
      [
        ...['--pgdata', basename(partial), '--username=tillbox'],
        ...['--pwfile=password', '--auth=scram-sha-256'],
        ...['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'],
        ...(fsync ? [] : ['--no-sync']),
      ],
      { folder: place.folder, limitMs: initdbLimitMs },
    );
    if (outcome.code !== 0) {
      throw new CodedError(
        'unavailable',
        `The embedded Postgres cannot make its data in ${place.folder}: ${outcome.output}`,
      );
    }
    await rename(partial, data).catch(ignoring('ENOTEMPTY', 'EEXIST'));
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

/** Creates the database `tillbox` unless it exists. It also proves that the server knows our password. */
export async function createDatabase(place: ServerPlace, password: string, port: number): Promise<void> {
  const client = new pg.Client({
    connectionString: administratorUrl(port, password, 'postgres'),
    ssl: false,
    connectionTimeoutMillis: connectLimitMs,
    query_timeout: connectLimitMs,
  });
  client.on('error', () => undefined); // A lost connection fails the statement; that is enough.
  try {
    await client.connect();
    const { rowCount } = await client.query("SELECT 1 FROM pg_database WHERE datname = 'tillbox'");
    if (rowCount === 0) await client.query('CREATE DATABASE tillbox');
  } catch (cause) {
    const code = (cause as { code?: string }).code;
    // duplicate_database, or unique_violation where both insert at once: another start has just created it.
    if (code === '42P04' || code === '23505') return;
    throw new CodedError(
      'unavailable',
      `The Postgres in ${place.folder} runs on port ${port} but refuses us: ` +
        `${cause instanceof Error ? cause.message : cause}. Stop it with "tillbox down".`,
      { cause },
    );
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** The URL with which the superuser `tillbox` reaches a database of the server on `port`. */
export function administratorUrl(port: number, password: string, database: string): string {
  return `postgres://tillbox:${password}@${serverHost}:${port}/${database}`;
}
