import { CodedError } from '../platform/errors.ts';
import { isClosedDatabase, isUnavailable } from '../platform/postgres-errors.ts';

/** An administrator's database error that an operator can do something about, in words; any other as it is. */
export function explainDatabaseError(error: unknown): unknown {
  const { code, message } = error as { code?: string; message?: string };
  if (code === '3D000')
    return new CodedError('unavailable', `${message}. Create it first: createdb.`, { cause: error });
  if (code === '28P01' || code === '28000') {
    return new CodedError('unauthorized', `The database refuses the login: ${message}.`, { cause: error });
  }
  if (code === '42501') {
    const detail = `The database refuses: ${message}. This needs the URL of an administrator, a role that may create databases, roles and schemas.`;
    return new CodedError('unauthorized', detail, { cause: error });
  }
  if (isClosedDatabase(error)) {
    const detail = `The database lets nobody in: ${message}. Wait for the end of its restore, or: alter database … with allow_connections true.`;
    return new CodedError('unavailable', detail, { cause: error });
  }
  if (isUnavailable(error)) {
    return new CodedError('unavailable', `The database is away: ${message}. Start it, or correct its URL.`, {
      cause: error,
    });
  }
  return error;
}
