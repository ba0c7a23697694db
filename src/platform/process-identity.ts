import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

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
