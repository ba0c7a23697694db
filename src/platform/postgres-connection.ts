import pg from 'pg';

/** What each connection may take; every wait has an end. Milliseconds. */
const limits = {
  /** Until a connection is there. Short: a request waits for it, and the gateway gives up before 3 s. */
  connectMs: 2_000,
  /** Until a statement ends, as the server counts. */
  statementMs: 7_000,
  /** The same as this side counts, for a server that does not answer at all. */
  queryMs: 8_000,
  /** Waiting for a row somebody else holds; below statementMs, so that the cause has its own SQLSTATE. */
  lockMs: 5_000,
  /** A paused process gives up its locks after this. Longer than the relay's call to the broker. */
  idleInTransactionMs: 10_000,
};

/**
 * Settings for a service, whose statements reach rows through indexes, a few of many. Prepared on a table that
 * was empty a moment ago, a plan would read it whole, and go on to when it has grown; and one plan for all values
 * is enough.
 */
export const plansByIndex = {
  plan_cache_mode: 'force_generic_plan',
  enable_seqscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
};

/** An URL whose connections begin with these settings, besides those it has. */
export function withSettings(url: string, settings: Readonly<Record<string, string>>): string {
  if (Object.keys(settings).length === 0) return url;
  const own = new URL(url);
  const flags = Object.entries(settings).map(([name, value]) => `-c ${name}=${value}`);
  const given = own.searchParams.get('options');
  own.searchParams.set('options', [...(given === null ? [] : [given]), ...flags].join(' '));
  return own.href;
}

/**
 * The options every connection of ours is opened with, whoever opens it.
 * @param options.connectMs how long it is waited for, by whom no request waits
 */
export function connectionOptions(url: string, name: string, { connectMs = limits.connectMs } = {}) {
  return {
    connectionString: url,
    application_name: name,
    connectionTimeoutMillis: connectMs,
    query_timeout: limits.queryMs,
    statement_timeout: limits.statementMs,
    lock_timeout: limits.lockMs,
    idle_in_transaction_session_timeout: limits.idleInTransactionMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    // Idle connections stay: opening one costs a Postgres process.
    idleTimeoutMillis: 0,
    types: { getTypeParser },
  };
}

const int8Oid = 20;

/** As node-postgres does it, but `bigint` arrives exactly: as BigInt. */
function getTypeParser(oid: number, format?: 'text' | 'binary'): (value: string) => unknown {
  if (oid === int8Oid && format !== 'binary') return BigInt;
  return pg.types.getTypeParser(oid, format as 'text');
}
