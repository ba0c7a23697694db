import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stopEmbeddedPostgres, wipeEmbeddedPostgres } from '../platform/embedded-postgres.ts';
import { isRunning } from '../platform/process-identity.ts';
import { ownerOfLock, releaseLock } from './process-lock.ts';
import { removeRuntime } from './runtime-file.ts';

/** The supervisor drains its daemons for twelve seconds at most, one group after the other, then Postgres. */
const stopMsMax = 40_000;
const pollMs = 50;

/**
 * Ends the system of a home: lets its supervisor stop everything, ends it when it does not, and stops an
 * embedded server that a killed supervisor left behind.
 */
export async function bringDown(
  home: string,
  options: { wipe: boolean },
): Promise<{ wasRunning: boolean; wiped: boolean }> {
  const folder = join(home, 'postgres');
  const supervisor = ownerOfLock(home);
  let wasRunning = false;
  if (supervisor !== undefined && isRunning(supervisor)) {
    wasRunning = true;
    process.kill(supervisor.pid, 'SIGTERM');
    const deadline = performance.now() + stopMsMax;
    while (isRunning(supervisor) && performance.now() < deadline) await sleep(pollMs);
    if (isRunning(supervisor)) process.kill(supervisor.pid, 'SIGKILL');
  }
  if (await stopEmbeddedPostgres(folder)) wasRunning = true;
  removeRuntime(home);
  if (supervisor !== undefined && !isRunning(supervisor)) releaseLock(home);
  if (options.wipe) await wipeEmbeddedPostgres(folder);
  return { wasRunning, wiped: options.wipe };
}
