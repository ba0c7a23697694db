import { join } from 'node:path';
import type { Config } from '../platform/config.ts';
import { startEmbeddedPostgres } from '../platform/embedded-postgres.ts';
import { databasesAtHand } from './databases-at-hand.ts';
import type { DatabaseUrls } from './migrate.ts';

/**
 * Runs `work` with the administrator URLs of the databases: those the environment names, else those of the
 * system that runs, else the embedded server, started for the time being.
 */
export async function withDatabases<Result>(
  config: Config,
  work: (urls: DatabaseUrls) => Promise<Result>,
): Promise<Result> {
  const atHand = databasesAtHand(config);
  if (atHand !== undefined) return work(atHand);
  const postgres = await startEmbeddedPostgres({ folder: join(config.home, 'postgres'), ephemeral: false });
  try {
    return await work({ orders: postgres.url, payments: postgres.url, broker: postgres.url });
  } finally {
    if (!postgres.adopted) await postgres.stop();
  }
}
