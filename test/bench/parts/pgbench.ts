import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { BenchServer } from '../bench-server.ts';

/** 10 × 100,000 accounts, as many as keep 32 clients from waiting for the same row. */
const scale = '10';

const run = promisify(execFile);

/**
 * What this machine's Postgres does of small transactions at this moment: pgbench's own, without the two hot
 * tables (-N), on the same server. Transactions a second; undefined where there is no pgbench.
 */
export async function pgbench(server: BenchServer, seconds: number): Promise<number | undefined> {
  try {
    await run('pgbench', ['--version']);
  } catch {
    return undefined;
  }
  const database = await server.createDatabase();
  try {
    const { orders: url } = database.urls;
    await run('pgbench', ['--initialize', '--quiet', '--scale', scale, url]);
    const options = ['--skip-some-updates', '--protocol=prepared', '--client=32', '--jobs=2', '--no-vacuum'];
    const { stdout } = await run('pgbench', [...options, `--time=${seconds}`, url]);
    return parseTps(stdout);
  } finally {
    await database.drop();
  }
}

/** The rate in what pgbench prints; undefined when it is not there. */
export function parseTps(output: string): number | undefined {
  const tps = /^tps = ([\d.]+)/m.exec(output)?.[1];
  return tps === undefined ? undefined : Number(tps);
}
