import { execFileSync } from 'node:child_process';
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A process as it is known across restarts of the machine: a number alone is given out again. */
export interface ProcessIdentity {
  pid: number;
  /** When it began, in whatever form the system tells; equal for the same process. */
  startedAt: string;
}

/** The identity of a process that runs now, by default this one; undefined when there is none. */
export function identityOf(pid = process.pid): ProcessIdentity | undefined {
  try {
    // Field 22, counted behind the name in parentheses, is the start in ticks since boot (proc(5)).
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z') return undefined;
    return { pid, startedAt: fields[19] ?? '' };
  } catch {
    return process.platform === 'linux' ? undefined : identityByPs(pid);
  }
}

function identityByPs(pid: number): ProcessIdentity | undefined {
  try {
    return {
      pid,
      startedAt: execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim(),
    };
  } catch {
    return undefined;
  }
}

/** Whether that very process still runs. */
export function isRunning(identity: ProcessIdentity | undefined): boolean {
  return identity !== undefined && identityOf(identity.pid)?.startedAt === identity.startedAt;
}

const attemptsMax = 5;

/**
 * Takes the lock file for this process: it is ours until this process ends, whatever way. Answers the
 * process that has it otherwise. A lock left behind by a process that died is taken over.
 */
export function takeLock(folder: string): ProcessIdentity | undefined {
  const path = join(folder, 'up.lock');
  const mine = join(folder, `up.lock.${process.pid}`);
  writeFileSync(mine, JSON.stringify(identityOf()), { mode: 0o600 });
  try {
    for (let attempt = 1; ; attempt += 1) {
      try {
        // link, unlike rename, refuses to replace what is there.
        linkSync(mine, path);
        return undefined;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || attempt >= attemptsMax) throw error;
      }
      const owner = ownerOfLock(folder);
      if (owner !== undefined && isRunning(owner)) return owner;
      // Two may find it stale: renaming it away lets exactly one of them have it, then both try again.
      const stale = `${mine}.stale`;
      try {
        renameSync(path, stale);
        const moved = readIdentity(stale);
        if (moved !== undefined && isRunning(moved)) linkSync(stale, path);
        rmSync(stale, { force: true });
      } catch {
        // Somebody else was faster.
      }
    }
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
