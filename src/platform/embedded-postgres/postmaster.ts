import { execFileSync } from 'node:child_process';
import { chownSync, readdirSync, readFileSync, realpathSync, renameSync, writeFileSync } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CodedError } from '../errors.ts';
import { freePort } from '../free-port.ts';
import { runAs } from './account.ts';
import type { PostgresBinaries } from './binaries.ts';
import { isAlive, partialName, replaceFile } from './partial.ts';
import type { ServerPlace } from './place.ts';
import { choosePort } from './port.ts';
import { serverHost } from './settings.ts';

/** The main process of a running server, as its `postmaster.pid` tells. */
export interface Postmaster {
  readonly pid: number;
  /** Seconds since 1970; with the pid it names one run of the server. */
  readonly startedAt: number;
  readonly port: number;
  readonly ready: boolean;
}

/** Seconds a start may take; recovery from a crash replays up to 4 GB of log. */
const startLimitS = 120;
/** Seconds for the last checkpoint of an orderly stop. */
const stopLimitS = 30;
/** Seconds for a stop that leaves recovery to the next start. */
const stopImmediatelyLimitS = 10;
/** How long a start is tried again: the orphans of a killed postmaster hold its shared memory. */
const orphansLimitMs = 20_000;
/** Pause between two tries while somebody else is about to let go. */
const retryPauseMs = 200;
/** A process id beyond what any kernel gives out. */
const pidOfNobody = 2 ** 31 - 1;
/** Characters of the server's log in an error. */
const logTailChars = 1_500;

/** The server that runs on the data of a place, if one does. A process that only has its old id is none. */
export function runningPostmaster(place: ServerPlace): Postmaster | undefined {
  const lines = readIfThere(join(place.folder, 'data', 'postmaster.pid')).split('\n');
  const pid = Number(lines[0]);
  if (!(pid > 0) || !isAlive(pid) || !isServerOf(place, pid)) return undefined;
  return {
    pid,
    startedAt: Number(lines[2]),
    port: Number(lines[3]),
    ready: lines[7]?.trim() === 'ready',
  };
}

/**
 * Starts the server of a place on the port it had before, or on another if that is taken. Returns undefined
 * when somebody else's start came first. Throws `unavailable` with the end of the log.
 */
export async function startPostmaster(
  place: ServerPlace,
  binaries: PostgresBinaries,
): Promise<Postmaster | undefined> {
  const deadline = Date.now() + orphansLimitMs;
  let port = await choosePort(place);
  forgetForeignPids(place);
  for (;;) {
    const logStart = await logSize(place);
    // The place is the working directory, so no path of the user's reaches the shell that pg_ctl uses.
    const args = ['start', '-w', '-t', String(startLimitS), '-D', 'data', '-l', 'server.log'];
    const options = ['-o', `-c config_file=tillbox.conf -c port=${port}`];
    const outcome = await runAs(place.account, binaries.pgCtl, [...args, ...options], {
      folder: place.folder,
      limitMs: (startLimitS + 10) * 1_000,
    });
    const running = runningPostmaster(place);
    if (outcome.code === 0 && running) {
      await replaceFile(join(place.folder, 'port'), `${running.port}\n`, 0o644);
      return running;
    }
    const log = await logTail(place, logStart);
    const lost = log.includes('lock file "postmaster.pid" already exists');
    if (lost && running) return undefined;
    if (Date.now() > deadline) throw startFailure(place, `${outcome.output}\n${log}`);
    if (/could not (bind|create any TCP)/.test(log)) port = await freePort(serverHost);
    else if (lost || log.includes('shared memory block')) await sleep(retryPauseMs);
    else throw startFailure(place, `${outcome.output}\n${log}`);
  }
}

/** Ends the server of a place without a checkpoint; the next start has to recover. */
export async function crashPostmaster(place: ServerPlace, binaries: PostgresBinaries): Promise<void> {
  const args = ['stop', '-m', 'immediate', '-w', '-t', String(stopImmediatelyLimitS), '-D', 'data'];
  const limitMs = (stopImmediatelyLimitS + 5) * 1_000;
  await runAs(place.account, binaries.pgCtl, args, { folder: place.folder, limitMs });
}

/**
 * Stops one run of a server, orderly, then immediately. Another server that has meanwhile been started on the
 * same data is left alone. Throws `unavailable` when it does not stop.
 */
export async function stopPostmaster(
  place: ServerPlace,
  binaries: PostgresBinaries,
  postmaster: Postmaster,
): Promise<void> {
  const stillRuns = (): boolean => {
    const running = runningPostmaster(place);
    return running?.pid === postmaster.pid && running.startedAt === postmaster.startedAt;
  };
  let output = '';
  for (const [mode, seconds] of [
    ['fast', stopLimitS],
    ['immediate', stopImmediatelyLimitS],
  ] as const) {
    if (!stillRuns()) return;
    const args = ['stop', '-m', mode, '-w', '-t', String(seconds), '-D', 'data'];
    const limitMs = (seconds + 5) * 1_000;
    output = (await runAs(place.account, binaries.pgCtl, args, { folder: place.folder, limitMs })).output;
  }
  if (!stillRuns()) return;
  const log = await logTail(place, 0);
  throw new CodedError(
    'unavailable',
    `The embedded Postgres (process ${postmaster.pid}) does not stop. ${output}\n${log}`,
  );
}

/** The end of the server's log, from `offset` on. */
async function logTail(place: ServerPlace, offset: number): Promise<string> {
  const file = await open(join(place.folder, 'server.log'), 'r').catch(() => undefined);
  if (!file) return '';
  try {
    const { size } = await file.stat();
    const start = Math.max(offset, size - logTailChars);
    const { buffer, bytesRead } = await file.read({
      buffer: Buffer.alloc(logTailChars),
      position: start,
    });
    return buffer.toString('utf8', 0, bytesRead).trim();
  } finally {
    await file.close();
  }
}

async function logSize(place: ServerPlace): Promise<number> {
  return (await stat(join(place.folder, 'server.log')).catch(() => undefined))?.size ?? 0;
}

function startFailure(place: ServerPlace, details: string): CodedError {
  return new CodedError(
    'unavailable',
    `The embedded Postgres in ${place.folder} does not start; its log ends with:\n${details.trim()}\n` +
      'Repair what it names, or set DATABASE_URL to a Postgres server of yours.',
  );
}

/**
 * A postmaster works in its data folder. That is asked as its own account: root in a container may not look
 * at other accounts' processes. On macOS, which has no /proc, the program's name must do.
 */
function isServerOf(place: ServerPlace, pid: number): boolean {
  const { uid, gid } = place.account;
  const identity = uid === undefined ? {} : { uid, gid: gid ?? uid };
  const [program, ...args] =
    process.platform === 'linux'
      ? ['readlink', `/proc/${pid}/cwd`]
      : ['ps', '-o', 'comm=', '-p', String(pid)];
  try {
    const answer = execFileSync(program, args, {
      ...identity,
      cwd: '/',
      encoding: 'utf8',
      timeout: 5_000,
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
    return process.platform === 'linux'
      ? answer === realpathSync(join(place.folder, 'data'))
      : answer.endsWith('postgres');
  } catch {
    return false; // Gone, or run by another account, so not by ours.
  }
}

/**
 * After a container's restart the old id often belongs to another process of the same user, or to a corpse
 * that nobody buries, and Postgres then refuses to start. Naming a process that cannot exist keeps its own
 * check of the shared memory. Done in one go, without awaiting, because between the look and the change no
 * server may be started.
 */
function forgetForeignPids(place: ServerPlace): void {
  const data = join(place.folder, 'data');
  const { uid, gid } = place.account;
  for (const name of readdirSync(data).filter((name) =>
    /^(postmaster\.pid|\.s\.PGSQL\.\d+\.lock)$/.test(name),
  )) {
    const path = join(data, name);
    const content = readIfThere(path);
    const pid = Number.parseInt(content, 10);
    if (!(pid > 0) || !isAlive(pid) || isServerOf(place, pid)) continue;
    const partial = partialName(path);
    writeFileSync(partial, content.replace(/^\d+/, String(pidOfNobody)), { mode: 0o600, flag: 'wx' });
    if (uid !== undefined) chownSync(partial, uid, gid ?? uid);
    renameSync(partial, path);
  }
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
