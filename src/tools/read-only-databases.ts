import { type DatabaseName, databaseNames } from '../platform/config.ts';
import { Database, type Queryable } from '../platform/database.ts';
import { CodedError } from '../platform/errors.ts';
import type { Logger } from '../platform/logging.ts';
import { isNotMigrated, isUnavailable } from '../platform/postgres-errors.ts';
import type { DatabaseUrls } from '../system/migrate.ts';
import { roleUrl } from '../system/roles.ts';

/**
 * The databases as the auditor sees them, each by itself: one that is away keeps nobody from the others,
 * and is tried again at the next use.
 */
export class ReadOnlyDatabases {
  readonly #urls: DatabaseUrls;
  readonly #name: string;
  readonly #log: Logger;
  readonly #open: Partial<Record<DatabaseName, Promise<Database>>> = {};

  /** @param options.urls of administrators, or of roles that may read @param options.name of the tool */
  constructor(options: { urls: DatabaseUrls; name: string; log: Logger }) {
    this.#urls = options.urls;
    this.#name = options.name;
    this.#log = options.log;
  }

  /**
   * Runs `work` in a database. One that is away is a value, not an error: its message says what is wrong.
   * @returns what `work` returns, or why the database could not be read
   */
  async in<Result>(
    name: DatabaseName,
    work: (db: Queryable) => Promise<Result>,
  ): Promise<{ result: Result } | { away: string }> {
    try {
      return { result: await work(await this.#database(name)) };
    } catch (error) {
      const message = messageOf(error);
      if (message === undefined) throw error;
      return { away: message };
    }
  }

  #database(name: DatabaseName): Promise<Database> {
    const open = this.#open[name] ?? this.#connect(name);
    this.#open[name] = open;
    open.catch(() => delete this.#open[name]);
    return open;
  }

  async #connect(name: DatabaseName): Promise<Database> {
    const url = await roleUrl(this.#urls[name], 'auditor', this.#log);
    return new Database({ url, name: this.#name, connectionsMax: 1, log: this.#log });
  }

  async close(): Promise<void> {
    const open = databaseNames.map((name) => this.#open[name]);
    await Promise.all(open.map((database) => database?.then((opened) => opened.close()).catch(() => {})));
  }
}

/** Login refused, or not allowed to read. */
const refusedStates = new Set(['28000', '28P01', '42501']);

/** Why a database could not be read; undefined when that is a bug of ours. */
function messageOf(error: unknown): string | undefined {
  const { code, message = String(error) } = error as { code?: string; message?: string };
  if (message.startsWith('no role for ') || isNotMigrated(error))
    return 'it is not migrated: tillbox migrate';
  if (error instanceof CodedError || isUnavailable(error)) return message === '' ? `${code}` : message;
  return refusedStates.has(code ?? '') ? `it refuses the login: ${message}` : undefined;
}
