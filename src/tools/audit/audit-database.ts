import pg from 'pg';
import { type DatabaseName, databaseNames } from '../../platform/config.ts';
import type { Statement } from '../../platform/database.ts';
import { CodedError } from '../../platform/errors.ts';
import type { Logger } from '../../platform/logging.ts';
import { connectionOptions } from '../../platform/postgres-connection.ts';
import { isNotMigrated, isUnavailable } from '../../platform/postgres-errors.ts';
import type { DatabaseUrls } from '../../system/migrate.ts';
import { roleUrl } from '../../system/roles.ts';

/** A statement reads every row there is, of any number: the services' seven seconds are not for it. */
const statementMs = 600_000;
/** The snapshot of one database waits while another is read. */
const idleInTransactionMs = 600_000;
/** Nobody waits for an answer of the audit as for one of the services, and a busy server is no reason to give up. */
const patience = { connectMs: 15_000 };
/** Rows held at once from one statement. */
const pageSize = 1_000;

/** A row as the audit reads it: numbers, ids and times as Postgres writes them. */
export type TextRow = Record<string, string | null>;

/**
 * A connection of the audit to one database, as the auditor: it can read and nothing else. Reads either
 * the moment (`rows`), or between `begin` and `end` one snapshot.
 */
export class AuditDatabase {
  readonly name: DatabaseName;
  readonly #client: pg.Client;
  /** Cuts the connection when the server answers nothing at all for too long. */
  readonly #silence: NodeJS.Timeout;
  #cursors = 0;

  private constructor(name: DatabaseName, client: pg.Client) {
    this.name = name;
    this.#client = client;
    this.#silence = setTimeout(() => this.#cut(), statementMs + 10_000).unref();
  }

  /** Connects. @param url of the auditor @throws CodedError `unavailable` */
  static async open(name: DatabaseName, url: string): Promise<AuditDatabase> {
    try {
      const client = new pg.Client({
        ...connectionOptions(url, 'tillbox audit', patience),
        statement_timeout: statementMs,
        query_timeout: 0,
        idle_in_transaction_session_timeout: idleInTransactionMs,
        types: { getTypeParser: () => asText },
      });
      // A connection that is lost says so in the statement under way, or in the next one.
      client.on('error', () => {});
      await client.connect();
      await client.query('set default_transaction_read_only = on');
      return new AuditDatabase(name, client);
    } catch (error) {
      throw explain(name, error);
    }
  }

  /**
   * Takes the snapshot that everything until `end` reads. Parallel plans need no help here; memory for a
   * sort or a hash does, or a million entries go through temporary files.
   */
  async begin(): Promise<void> {
    await this.#query({ text: 'begin transaction isolation level repeatable read, read only' });
    await this.#query({ text: `set local work_mem = '64MB'` });
    await this.#query({ text: 'set local jit = off' });
    // Cursors are read to their end.
    await this.#query({ text: 'set local cursor_tuple_fraction = 1' });
    // The first query takes the snapshot.
    await this.#query({ text: 'select now()' });
  }

  async end(): Promise<void> {
    await this.#query({ text: 'commit' });
  }

  /** All rows of a statement with few. */
  async rows<Row extends TextRow>(statement: Statement, values: unknown[] = []): Promise<Row[]> {
    return (await this.#query<Row>({ text: statement.text, values })).rows;
  }

  /** The rows of a statement with any number, a page at a time; the next is fetched while one is used. */
  async *pages<Row extends TextRow>(statement: Statement, values: unknown[] = []): AsyncGenerator<Row[]> {
    this.#cursors += 1;
    const cursor = `${statement.name}_${this.#cursors}`;
    await this.#query({ text: `declare ${cursor} no scroll cursor for ${statement.text}`, values });
    const fetch = () => {
      const page = this.#fetch<Row>(cursor);
      // Whoever stops early does not wait for it.
      page.catch(() => {});
      return page;
    };
    let next = fetch();
    for (;;) {
      const rows = await next;
      if (rows.length === pageSize) next = fetch();
      yield rows;
      if (rows.length < pageSize) break;
    }
    await this.#query({ text: `close ${cursor}` });
  }

  /**
   * A page of a cursor. By callback: with a promise of node-postgres's, or a timer of its own for every
   * page, each keeps the one before from the young generation's collector, and a million rows take 210 MB
   * instead of 95.
   */
  #fetch<Row extends TextRow>(cursor: string): Promise<Row[]> {
    this.#silence.refresh();
    return new Promise((resolve, reject) => {
      this.#client.query<Row>(`fetch ${pageSize} from ${cursor}`, (error, result) => {
        if (error) reject(explain(this.name, error));
        else resolve(result.rows);
      });
    });
  }

  async #query<Row extends TextRow>(query: { text: string; values?: unknown[] }) {
    this.#silence.refresh();
    try {
      return await this.#client.query<Row>(query);
    } catch (error) {
      throw explain(this.name, error);
    }
  }

  /** Ends the connection, with whatever is under way. Never rejects. */
  async close(): Promise<void> {
    clearTimeout(this.#silence);
    this.#cut();
    await this.#client.end().catch(() => {});
  }

  /** Closes the socket: `end` alone would wait for the statement under way. */
  #cut(): void {
    (this.#client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
  }
}

/**
 * The URLs the auditor logs in with.
 * @param urls of administrators, or of roles that may read
 * @throws CodedError `unavailable`
 */
export async function auditorUrls(urls: DatabaseUrls, log: Logger): Promise<DatabaseUrls> {
  const found = databaseNames.map(async (name) => {
    try {
      return [name, await roleUrl(urls[name], 'auditor', log, patience)];
    } catch (error) {
      throw explain(name, error);
    }
  });
  return Object.fromEntries(await Promise.all(found));
}

function asText(value: string): string {
  return value;
}

/** Login refused, or not allowed to read. */
const refusedStates = new Set(['28000', '28P01', '42501']);

/** Whatever keeps a database from being read is `unavailable`, never a clean audit; anything else is a bug. */
function explain(name: DatabaseName, error: unknown): unknown {
  if (error instanceof CodedError) return error;
  const { code, message } = error as { code?: string; message?: string };
  const unreadable = (advice: string) =>
    new CodedError('unavailable', `The ${name} database could not be read: ${message}. ${advice}`, {
      cause: error,
    });
  if (isNotMigrated(error)) return unreadable('Bring it up to date: tillbox migrate');
  if (refusedStates.has(code ?? '')) return unreadable('Check the login in its URL, or run tillbox migrate.');
  // data_corrupted, index_corrupted
  if (code === 'XX001' || code === 'XX002') return unreadable('Its files are damaged: restore a backup.');
  if (isUnavailable(error)) return unreadable('Start it, or correct its URL.');
  return error;
}
