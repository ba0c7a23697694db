import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../platform/config.ts';
import { startEmbeddedPostgres } from '../platform/embedded-postgres.ts';
import { CodedError } from '../platform/errors.ts';
import { databasesAtHand } from './databases-at-hand.ts';
import type { DatabaseUrls } from './migrate.ts';

/**
 * Databases that nobody has ever started. A tool that only looks starts none: there is nothing to see.
 * @throws CodedError `unavailable`
 */
function requireData(home: string, folder: string): void {
  if (existsSync(folder)) return;
  const detail = `There are no databases yet in TILLBOX_HOME (${home}). Start the system with tillbox up, or say where they are with TILLBOX_HOME or DATABASE_URL.`;
  throw new CodedError('unavailable', detail);
}

/**
 * Runs `work` with the administrator URLs of the databases: those the environment names, else those of the
 * system that runs, else the embedded server, started for the time being.
 * @param options.creates whether an embedded server may be made where there is none
 */
export async function withDatabases<Result>(
  config: Config,
  work: (urls: DatabaseUrls) => Promise<Result>,
  options: { creates: boolean } = { creates: false },
): Promise<Result> {
  const atHand = databasesAtHand(config);
  if (atHand !== undefined) return work(atHand);
  const folder = join(config.home, 'postgres');
  if (!options.creates) requireData(config.home, folder);
  const postgres = await startEmbeddedPostgres({ folder, ephemeral: false });
  try {
    return await work({ orders: postgres.url, payments: postgres.url, broker: postgres.url });
  } finally {
    if (!postgres.adopted) await postgres.stop();
  }
}
