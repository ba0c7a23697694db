import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import {
  type EmbeddedPostgres,
  startEmbeddedPostgres,
  wipeEmbeddedPostgres,
} from '../../src/platform/embedded-postgres.ts';
import { createEphemeralDatabases, type EphemeralDatabases } from '../../src/system/ephemeral-databases.ts';

/** Longer than anything the bench asks of a database: seeding millions of rows. */
const statementMs = 3_600_000;

/**
 * The embedded server of the bench, in a home of its own that vanishes: as `tillbox up` runs it, durability
 * on, with one addition: statements can be counted, and are not while nothing is counted.
 */
export class BenchServer {
  /** A temporary folder, for whatever a part needs besides. */
  readonly home: string;
  readonly #postgres: EmbeddedPostgres;
  readonly #dependents: (() => Promise<void>)[] = [];
  #stopped: Promise<void> | undefined;

  private constructor(home: string, postgres: EmbeddedPostgres) {
    this.home = home;
    this.#postgres = postgres;
  }

  static async start(): Promise<BenchServer> {
    const home = mkdtempSync(join(tmpdir(), 'tillbox-bench-'));
    try {
      const postgres = await startEmbeddedPostgres({
        folder: serverFolder(home),
        ephemeral: false,
        settings: { shared_preload_libraries: 'pg_stat_statements', 'pg_stat_statements.track': 'none' },
      });
      return new BenchServer(home, postgres);
    } catch (error) {
      rmSync(home, { recursive: true, force: true });
      throw error;
    }
  }

  /** Administrator URL. */
  get url(): string {
    return this.#postgres.url;
  }

  /** Process id of the server now. */
  get pid(): number {
    return Number(readFileSync(join(this.#postgres.dataFolder, 'postmaster.pid'), 'utf8').split('\n', 1)[0]);
  }

  /** Such as 18.4. */
  async version(): Promise<string> {
    const admin = await openAdministrator(this.url);
    const { rows } = await admin.query<{ server_version: string }>('show server_version');
    await admin.end();
    return rows[0]?.server_version ?? 'unknown';
  }

  /** An empty database. */
  createDatabase(): Promise<EphemeralDatabases> {
    const { url } = this;
    return createEphemeralDatabases({ orders: url, payments: url, broker: url }, { prefix: 'bench' });
  }

  /** Has something ended before the server, should it still be there then. */
  onStop(stop: () => Promise<void>): void {
    this.#dependents.push(stop);
  }

  /** Ends everything and removes it. May be called twice. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    for (const stop of this.#dependents.reverse()) await stop().catch(() => {});
    await this.#postgres.stop();
    // Run as root, the data may lie elsewhere, with a link from the home.
    await wipeEmbeddedPostgres(serverFolder(this.home));
    rmSync(this.home, { recursive: true, force: true });
  }
}

const serverFolder = (home: string) => join(home, 'server');

/** A connection as administrator; `bigint` and `numeric` arrive as numbers. */
export async function openAdministrator(url: string): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: url,
    application_name: 'bench',
    statement_timeout: statementMs,
    types: {
      getTypeParser: (oid, format) => (numbers.has(oid) ? Number : pg.types.getTypeParser(oid, format)),
    },
  });
  client.on('error', () => {});
  await client.connect();
  return client;
}

const numbers = new Set<number>([pg.types.builtins.INT8, pg.types.builtins.NUMERIC]);
