import type { Config, DatabaseName } from '../platform/config.ts';
import { CodedError } from '../platform/errors.ts';
import type { Logger } from '../platform/logging.ts';
import { explainDatabaseError } from '../system/database-errors.ts';
import { type Duty, roleUrl } from '../system/roles.ts';
import { withDatabases } from '../system/with-databases.ts';

/** What a database says that `tillbox migrate` has not been at. */
const notMigratedStates = new Set(['42P01', '3F000', '42703']); // undefined_table, invalid_schema_name, undefined_column

/**
 * Runs `work` with the URLs of these databases, each with the login of a duty.
 * @throws CodedError that says what to do when a database is away, not migrated, or refuses
 */
export function withLogins<Name extends DatabaseName, Result>(
  options: { config: Config; duty: Duty; databases: readonly Name[]; log: Logger },
  work: (urls: Record<Name, string>) => Promise<Result>,
): Promise<Result> {
  const { config, duty, databases, log } = options;
  return withDatabases(config, async (administrator) => {
    try {
      const logins = databases.map(async (name) => [name, await roleUrl(administrator[name], duty, log)]);
      return await work(Object.fromEntries(await Promise.all(logins)) as Record<Name, string>);
    } catch (error) {
      throw isNotMigrated(error)
        ? new CodedError('unavailable', 'The database is not ready yet: run tillbox migrate.', {
            cause: error,
          })
        : explainDatabaseError(error);
    }
  });
}

function isNotMigrated(error: unknown): boolean {
  const { code, message } = error as { code?: string; message?: string };
  return notMigratedStates.has(code ?? '') || (message ?? '').startsWith('no role for ');
}
