/**
 * Rows for a statement that works on a set, as one JSON parameter. Numbers beyond 2^53 must reach Postgres
 * whole: in JSON they are strings, which `json_to_recordset` casts back.
 */
export function jsonRows(rows: readonly object[]): string {
  return JSON.stringify(rows, (_key, value) => (typeof value === 'bigint' ? value.toString() : value));
}
