import { setImmediate as turn } from 'node:timers/promises';
import pg from 'pg';
import type { Logger } from './logging.ts';
import { connectionOptions, withSettings } from './postgres-connection.ts';
import { isConnectionFailure, isLockTimeout, isOutcomeUnknown, isRetryable } from './postgres-errors.ts';

/** One SQL statement. The name prepares it on the server, and says in errors and statistics which it was. */
export interface Statement {
  readonly name: string;
  readonly text: string;
}

/** Where statements run: the database itself (each its own transaction) or a transaction. */
export interface Queryable {
  /** Runs one statement with bound values. `bigint` columns arrive as BigInt, times as Date. */
  query<Row extends object>(statement: Statement, values?: readonly unknown[]): Promise<Row[]>;
}

/** A transaction under way, as a function receives it that must share its caller's. */
export interface Transaction extends Queryable {
  readonly inTransaction: true;
  /**
   * Sends a statement whose answer nobody needs, without waiting for it: it travels together with what
   * follows, the commit too. When it fails the transaction does, with its error.
   */
  send(statement: Statement, values?: readonly unknown[]): void;
}

/** How a transaction differs from the usual. */
export interface TransactionOptions {
  /** Longest wait for a lock; a caller that sets it is told when it passed, at once. */
  lockMs?: number;
  /**
   * Whether a crash of the server may undo it within its last half second, because it will then be done again.
   * Such a commit does not wait for the disk.
   */
  forgettable?: boolean;
  /**
   * Whether its first statement only reads or locks, so that it may travel together with the begin: should that
   * fail, the statement has done no harm.
   */
  readsFirst?: boolean;
}

/** Retries of a transaction that lost to another one; each waits up to `retryMs` × attempt. */
const attemptsMax = 5;
const retryMs = 20;

/** Connections of a pool now, and how many callers wait for one. */
export interface Connections {
  used: number;
  idle: number;
  wanted: number;
}

/**
 * Connections to one service's database, and the only way to it. Statements are prepared, connections are
 * limited in number, and every wait has a limit.
 */
export class Database implements Queryable {
  readonly #pool: pg.Pool;

  /**
   * @param options.url connection string of the role that does the work
   * @param options.name shown in pg_stat_activity
   * @param options.connectionsMax most connections held at once
   * @param options.settings parameters of Postgres that its connections begin with
   */
  constructor(options: {
    url: string;
    name: string;
    connectionsMax: number;
    settings?: Readonly<Record<string, string>>;
    log: Logger;
  }) {
    this.#pool = new pg.Pool({
      ...connectionOptions(withSettings(options.url, options.settings ?? {}), options.name),
      max: options.connectionsMax,
      // Statements that nobody waits for between them are sent together.
      pipeline: true,
    } as pg.PoolConfig);
    // An idle connection that dies is replaced at the next use; without a listener it would end the process.
    this.#pool.on('error', (error) => options.log.debug({ err: error }, 'idle database connection lost'));
  }

  async query<Row extends object>(statement: Statement, values: readonly unknown[] = []): Promise<Row[]> {
    const result = await this.#pool.query<Row>({ ...statement, values: [...values] });
    return result.rows;
  }

  /**
   * Runs `work` in one READ COMMITTED transaction and commits. When it lost to another transaction
   * (deadlock, serialization, lock timeout) it is rolled back and run again, a few times, with jitter; so
   * `work` must do nothing but SQL, or what is safe to repeat.
   */
  async transaction<Result>(
    work: (tx: Transaction) => Promise<Result>,
    options: TransactionOptions = {},
  ): Promise<Result> {
    const { lockMs, forgettable = false, readsFirst = false } = options;
    const begin = [
      'begin',
      ...(lockMs === undefined ? [] : [`set local lock_timeout = ${Math.ceil(lockMs)}`]),
      ...(forgettable ? ['set local synchronous_commit = off'] : []),
    ].join('; ');
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#transactionOnce({ begin, readsFirst }, work);
      } catch (error) {
        const givenUp = lockMs !== undefined && isLockTimeout(error);
        if (attempt >= attemptsMax || !isRetryable(error) || givenUp) throw error;
        await new Promise((resolve) => setTimeout(resolve, Math.random() * retryMs * attempt));
      }
    }
  }

  async #transactionOnce<Result>(
    { begin, readsFirst }: { begin: string; readsFirst: boolean },
    work: (tx: Transaction) => Promise<Result>,
  ): Promise<Result> {
    const client = await this.#pool.connect();
    let broken: Error | undefined;
    const sent: Promise<unknown>[] = [];
    let failure: Error | undefined;
    let begun: Promise<unknown> = Promise.resolve();
    const tx: Transaction = {
      inTransaction: true,
      query: async <Row extends object>(statement: Statement, values: readonly unknown[] = []) => {
        const answer = client.query<Row>({ ...statement, values: [...values] });
        answer.catch(() => {});
        await begun;
        return (await answer).rows;
      },
      send: (statement, values = []) => {
        const answer = client.query({ ...statement, values: [...values] });
        answer.catch((error: Error) => {
          failure ??= error;
        });
        sent.push(answer);
      },
    };
    // A connection that dies while checked out says so here, and in the statement under way.
    const onError = (error: Error) => {
      broken = error;
    };
    client.on('error', onError);
    try {
      begun = client.query(begin);
      begun.catch(() => {});
      if (!readsFirst) await begun;
      const result = await work(tx);
      await begun;
      // The commit travels with what was sent. But a statement that failed on this side never was, and the server
      // would commit the others: such a failure has come to light after a turn of the event loop.
      if (sent.length > 0) await turn();
      if (failure !== undefined) throw failure;
      const [{ command }] = await Promise.all([client.query('commit'), ...sent]);
      // Postgres answers the commit of a transaction that had failed with ROLLBACK, not with an error.
      if (command !== 'COMMIT')
        throw new Error('a statement failed in the transaction, and the work went on');
      return result;
    } catch (error) {
      if (isConnectionFailure(error) || isQueryTimeout(error)) broken ??= error as Error;
      if (broken === undefined) {
        await client.query('rollback').catch((rollbackError: Error) => {
          broken = rollbackError;
        });
      }
      throw error;
    } finally {
      client.off('error', onError);
      // A client in an unknown state is closed, never handed to the next caller.
      client.release(broken);
    }
  }

  /** Resolves when the server answers. Rejects with the reason otherwise. */
  async ping(): Promise<void> {
    await this.#pool.query('select 1');
  }

  /** Its connections now, and how many callers wait for one. */
  get connections(): Connections {
    const { totalCount, idleCount, waitingCount } = this.#pool;
    return { used: totalCount - idleCount, idle: idleCount, wanted: waitingCount };
  }

  /** Ends all connections, those in use after their statement. */
  async close(): Promise<void> {
    if (!this.#pool.ending) await this.#pool.end();
  }
}

/**
 * Runs what is safe to repeat until it succeeds, a few times: after a lost connection it may have happened
 * already, and repeating finds that out. When it gives up it throws the error that says most: one that
 * leaves the outcome unknown rather than one of a later attempt that never began.
 */
export async function repeatSafely<Result>(work: () => Promise<Result>): Promise<Result> {
  let uncertain: unknown;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (isOutcomeUnknown(error)) uncertain ??= error;
      const repeatable = isRetryable(error) || isConnectionFailure(error);
      // A timeout of seconds has used up the caller's patience already.
      if (!repeatable || isQueryTimeout(error) || attempt >= attemptsMax) throw uncertain ?? error;
      await new Promise((resolve) => setTimeout(resolve, Math.random() * retryMs * attempt));
    }
  }
}

/** After our own timeout the server may still be at work: the connection must not be used again. */
function isQueryTimeout(error: unknown): boolean {
  return error instanceof Error && error.message === 'Query read timeout';
}
