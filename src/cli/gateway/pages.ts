import type { Argument } from '../arguments.ts';
import type { Gateway } from './gateway.ts';

/** Rows a list command prints when the user does not say. */
export const rowsDefault = 50;
/** Rows a list command prints at most: they are held in memory. */
const rowsMax = 10_000;
/** Rows of one request: the most the gateway gives. */
const pageSizeMax = 500;

export const limitArgument: Argument<number> = {
  name: '--limit',
  field: 'limit',
  question: 'Limit',
  rule: `must be a whole number from 1 to ${rowsMax}`,
  read: (text) => (/^[1-9]\d{0,4}$/.test(text) && Number(text) <= rowsMax ? Number(text) : undefined),
};

/** A list as far as it was read. `next_cursor` is null at its end. */
export interface Rows<Row> {
  rows: Row[];
  next_cursor: string | null;
}

/** Reads a list, page after page, until there are `limit` rows or no more. */
export async function readPages<Row>(
  gateway: Gateway,
  list: { path: string; query: Record<string, string | undefined>; field: string; limit: number },
): Promise<Rows<Row>> {
  const rows: Row[] = [];
  let cursor = list.query['cursor'];
  for (;;) {
    const size = Math.min(list.limit - rows.length, pageSizeMax);
    const query = new URLSearchParams({ limit: String(size) });
    for (const [name, value] of Object.entries({ ...list.query, cursor })) {
      if (value !== undefined) query.set(name, value);
    }
    const page = await gateway.get<Record<string, unknown>>(`${list.path}?${query}`);
    const found = page[list.field];
    rows.push(...(Array.isArray(found) ? (found as Row[]) : []));
    const next = page['next_cursor'];
    // A page without rows is the end, whatever it says: the loop must have one.
    const isEnd = typeof next !== 'string' || !Array.isArray(found) || found.length === 0;
    if (isEnd || rows.length >= list.limit) return { rows, next_cursor: isEnd ? null : next };
    cursor = next;
  }
}
