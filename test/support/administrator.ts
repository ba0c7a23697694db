import pg from 'pg';
import type { Runtime } from '../../src/system/runtime-file.ts';

/** Runs SQL as administrator behind a running system's back; `bigint` arrives as text. */
export async function sqlBehind<Row extends object>(
  runtime: Runtime,
  database: keyof Runtime['databases'],
  text: string,
  values: unknown[] = [],
): Promise<Row[]> {
  const client = new pg.Client({ connectionString: runtime.databases[database] });
  await client.connect();
  try {
    return (await client.query<Row>(text, values)).rows;
  } finally {
    await client.end();
  }
}

/** How many dead letters there are in the broker. */
export async function countDeadLetters(runtime: Runtime): Promise<number> {
  const rows = await sqlBehind<{ count: string }>(
    runtime,
    'broker',
    `select count(*) from broker.job where name like '%-dead-letters'`,
  );
  return Number(rows[0]?.count);
}
