import { CodedError } from './errors.ts';

/** Rows of a page when a client does not say. */
export const pageSizeDefault = 50;
/** Rows of a page at most. */
export const pageSizeMax = 500;

/** Query-string fields of a list; numbers in a query string are text. */
export const limitSchema = {
  type: 'string',
  pattern: '^([1-9]|[1-9]\\d|[1-4]\\d\\d|500)$',
  description: `must be a whole number from 1 to ${pageSizeMax}`,
  examples: [String(pageSizeDefault)],
} as const;
export const cursorSchema = {
  type: 'string',
  pattern: '^[A-Za-z0-9_-]{1,100}$',
  description: 'must be the next_cursor of the page before',
} as const;

/** One page of a list. `next_cursor` is null at its end. */
export interface Page<Row> {
  rows: Row[];
  nextCursor: string | null;
}

/** Cuts a page of `limit` rows out of up to `limit + 1` rows read. `keyOf` names the row the next begins after. */
export function cutPage<Row>(rows: readonly Row[], limit: number, keyOf: (row: Row) => string): Page<Row> {
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  const more = rows.length > limit && last !== undefined;
  return { rows: page, nextCursor: more ? Buffer.from(keyOf(last)).toString('base64url') : null };
}

/** The key in a cursor; undefined when there is no cursor. It is for the caller to check. */
export function keyInCursor(cursor: string | undefined): string | undefined {
  return cursor === undefined ? undefined : Buffer.from(cursor, 'base64url').toString();
}

/** The refusal of a cursor nobody gave out. */
export function cursorRefused(): CodedError {
  const fields = [{ field: 'cursor', message: cursorSchema.description }];
  return new CodedError('validation-failed', `cursor ${cursorSchema.description}.`, { fields });
}
