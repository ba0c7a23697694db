/**
 * What an error of Postgres or of the connection to it means for us. Only what is listed is retried.
 * Source of the codes: PostgreSQL documentation, appendix A.
 */

/** Lost to another transaction: the same work, done again, will most likely go through. */
const retryableStates = new Set([
  '40001', // serialization_failure
  '40P01', // deadlock_detected
  '55P03', // lock_not_available: lock_timeout passed
]);

/** The server or the way to it is away, full or going away: nothing is wrong with the statement. */
const unavailableStates = new Set([
  '08000', // connection_exception
  '08001', // sqlclient_unable_to_establish_sqlconnection
  '08003', // connection_does_not_exist
  '08004', // sqlserver_rejected_establishment_of_sqlconnection
  '08006', // connection_failure
  '08P01', // protocol_violation: a connection cut in the middle of a message
  '25006', // read_only_sql_transaction: a standby
  '25P03', // idle_in_transaction_session_timeout
  '25P04', // transaction_timeout
  '53000', // insufficient_resources
  '53100', // disk_full
  '53200', // out_of_memory
  '53300', // too_many_connections
  '57014', // query_canceled: statement_timeout passed
  '57P01', // admin_shutdown
  '57P02', // crash_shutdown
  '57P03', // cannot_connect_now
  '57P04', // database_dropped
  '57P05', // idle_session_timeout
  '58000', // system_error
  '58030', // io_error
]);

/**
 * Where Postgres refuses to let anybody into a database, because of the state that is in: its function, as an error
 * names it in every language. The code alone, 55000, says the same of a statement that comes too early.
 */
const admittingRoutines = new Set([
  'CheckMyDatabase', // allow_connections is false, as during a restore
  'InitPostgres', // left behind by a drop database that was interrupted
]);

/** The connection itself is gone. */
const connectionStates = new Set(['25P03', '25P04', '57P01', '57P02', '57P03', '57P05']);

/** Not there yet, or not any more: a `tillbox migrate` has to come first. */
const notMigratedStates = new Set([
  '3D000', // invalid_catalog_name: no such database
  '3F000', // invalid_schema_name
  '42P01', // undefined_table
  '42703', // undefined_column
  '28000', // invalid_authorization_specification: no such role
]);

/** Refused at the door: no statement was sent. */
const neverBegan = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'ENOENT', '57P03', '08001', '08004']);

/** Errors of sockets and names as Node reports them, and node-postgres's own without a code. */
const socketCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENOENT', // a unix socket that is not there
]);
const connectionMessages = [
  'Connection terminated',
  'timeout exceeded when trying to connect',
  'Client has encountered a connection error',
  'Client was closed',
  'Query read timeout',
  'timeout expired',
];

/** The server is there, but takes no more connections, or none yet. */
const noRoomStates = new Set([
  '53300', // too_many_connections
  '57P03', // cannot_connect_now: it starts up
]);
const connectTimeouts = ['timeout exceeded when trying to connect', 'timeout expired'];

const unstorableStates = new Set([
  '22P02', // invalid_text_representation: half a surrogate pair
  '22P05', // untranslatable_character: NUL
  '54001', // statement_too_complex: nested too deep
]);

function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** Whether the transaction lost to another one and should simply be run again. */
export function isRetryable(error: unknown): boolean {
  return retryableStates.has(codeOf(error) ?? '');
}

/** Whether a lock was waited for in vain. */
export function isLockTimeout(error: unknown): boolean {
  return codeOf(error) === '55P03'; // lock_not_available
}

/** Whether the connection broke, so that what it was doing may or may not have happened. */
export function isConnectionFailure(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = codeOf(error);
  if (code !== undefined) return socketCodes.has(code) || code.startsWith('08') || connectionStates.has(code);
  return connectionMessages.some((message) => error.message.startsWith(message));
}

/** Whether a database is away, full, too slow or not answering: a fault that passes. */
export function isUnavailable(error: unknown): boolean {
  const code = codeOf(error) ?? '';
  if (isConnectionFailure(error) || unavailableStates.has(code) || retryableStates.has(code)) return true;
  return isClosedDatabase(error);
}

/** Whether the database is there, but lets nobody in just now: its allow_connections is false. */
export function isClosedDatabase(error: unknown): boolean {
  if (codeOf(error) !== '55000') return false; // object_not_in_prerequisite_state
  return admittingRoutines.has(String((error as { routine?: unknown }).routine));
}

/** Whether a statement may have taken effect although it failed: its answer was lost, not refused. */
export function isOutcomeUnknown(error: unknown): boolean {
  if (!isConnectionFailure(error)) return false;
  const code = codeOf(error);
  if (code !== undefined) return !neverBegan.has(code);
  return !(error as Error).message.startsWith('timeout exceeded when trying to connect');
}

/** Whether the server is too busy just now to let anybody in; one that is not there refuses at once. */
export function isTooBusyToConnect(error: unknown): boolean {
  const code = codeOf(error);
  if (code !== undefined) return noRoomStates.has(code);
  return error instanceof Error && connectTimeouts.some((message) => error.message.startsWith(message));
}

/** Whether the database answers but has not been migrated (yet). */
export function isNotMigrated(error: unknown): boolean {
  return notMigratedStates.has(codeOf(error) ?? '');
}

/** Whether a unique constraint refused the row, optionally that one. */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  if (codeOf(error) !== '23505') return false; // unique_violation
  return constraint === undefined || (error as { constraint?: string }).constraint === constraint;
}

/** Whether Postgres, or the way there, refuses a JSON value for what it holds: it will not be taken another time. */
export function isUnstorable(error: unknown): boolean {
  return error instanceof RangeError || unstorableStates.has(codeOf(error) ?? '');
}
