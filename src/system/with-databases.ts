import { join } from 'node:path';
import { type Config, databaseNames, givenDatabaseUrls } from '../platform/config.ts';
import { startEmbeddedPostgres } from '../platform/embedded-postgres.ts';
import type { DatabaseUrls } from './migrate.ts';
import { isRunning, ownerOfLock } from './process-lock.ts';
import { readRuntime } from './runtime-file.ts';

/**
 * Runs `work` with the administrator URLs of the databases: those the environment names, else those of the
 * system that runs, else the embedded server, started for the time being.
 */
export async function withDatabases<Result>(
  config: Config,
  work: (urls: DatabaseUrls) => Promise<Result>,
): Promise<Result> {
  const given = givenDatabaseUrls(config, databaseNames);
  if (given !== undefined) return work(given);
  const runtime = readRuntime(config.home);
  if (runtime !== undefined && isRunning(ownerOfLock(config.home))) return work(runtime.databases);
  const postgres = await startEmbeddedPostgres({ folder: join(config.home, 'postgres'), ephemeral: false });
  try {
    return await work({ orders: postgres.url, payments: postgres.url, broker: postgres.url });
  } finally {
    if (!postgres.adopted) await postgres.stop();
  }
}
