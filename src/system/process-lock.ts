import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { identityOf, isRunning, type ProcessIdentity } from '../platform/process-identity.ts';

/** Between two tries to remove a lock that a dead process left, while another process is at it. */
const retryMs = 5;
const attemptsMax = 400;

/**
 * Takes the lock file for this process: it is ours until this process ends, whatever way. Answers the
 * process that has it otherwise. A lock left behind by a process that died is taken over.
 */
export function takeLock(folder: string): ProcessIdentity | undefined {
  const lock = join(folder, 'up.lock');
  for (let attempt = 1; attempt <= attemptsMax; attempt += 1) {
    if (createWithIdentity(lock)) return undefined;
    const owner = readIdentity(lock);
    if (isRunning(owner)) return owner;
    if (!removeStale(lock)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, retryMs);
  }
  throw new Error(`${lock} cannot be taken over from the process that left it`);
}

/**
 * Removes a lock whose process died. Several may find it stale at once: only who holds a second lock may
 * look again and remove the first, or a fresh lock could be taken for the stale one. False: somebody else is
 * at it.
 */
function removeStale(lock: string): boolean {
  const removal = `${lock}.removal`;
  if (!createWithIdentity(removal)) {
    // Whoever died within these microseconds left this behind.
    if (!isRunning(readIdentity(removal))) rmSync(removal, { force: true });
    return false;
  }
  try {
    if (!isRunning(readIdentity(lock))) rmSync(lock, { force: true });
    return true;
  } finally {
    rmSync(removal, { force: true });
  }
}

/** Creates a file that names this process, whole or not at all; false when the file is there already. */
function createWithIdentity(path: string): boolean {
  const mine = `${path}.${process.pid}`;
  writeFileSync(mine, JSON.stringify(identityOf()), { mode: 0o600 });
  try {
    // link, unlike rename, refuses to replace what is there.
    linkSync(mine, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(mine, { force: true });
  }
}

/** The process a lock file names, whether it still runs or not. */
export function ownerOfLock(folder: string): ProcessIdentity | undefined {
  return readIdentity(join(folder, 'up.lock'));
}

/** Gives the lock back. */
export function releaseLock(folder: string): void {
  rmSync(join(folder, 'up.lock'), { force: true });
}

function readIdentity(path: string): ProcessIdentity | undefined {
  try {
    const value = JSON.parse(readFileSync(path, 'utf8'));
    return typeof value?.pid === 'number' && typeof value?.startedAt === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}
