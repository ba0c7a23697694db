import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { CodedError } from '../errors.ts';

/**
 * The operating system account that runs the embedded Postgres. Without `uid` and `gid` it is our own;
 * with them we are root, which Postgres refuses, and start every one of its programs as somebody else.
 */
export interface ServerAccount {
  readonly name: string;
  readonly uid?: number;
  readonly gid?: number;
}

/** What a finished program left behind: its exit code (null when it was killed) and its output. */
export interface Outcome {
  readonly code: number | null;
  readonly output: string;
}

/** Characters of output kept of one program; initdb writes about 1,500. */
const outputCharsMax = 16_000;
/** How long the pipes of an ended program may stay open in the hands of its children. */
const pipesGraceMs = 250;

/** True when this process is root and must hand Postgres to another account. */
export function isRoot(): boolean {
  return process.geteuid?.() === 0;
}

/**
 * Chooses the account: our own, or as root the owner of the data that exist already (so that data keep
 * their owner), else `postgres`, else `nobody`. Never creates a user. Throws `unavailable` if there is none.
 */
export async function chooseAccount(dataOwner?: { uid: number; gid: number }): Promise<ServerAccount> {
  if (!isRoot()) return { name: 'this user' };
  if (dataOwner && dataOwner.uid !== 0) return { name: `uid ${dataOwner.uid}`, ...dataOwner };
  const accounts = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  for (const wanted of ['postgres', 'nobody']) {
    const [name, , uid, gid] = accounts.find((fields) => fields[0] === wanted) ?? [];
    if (name && Number(uid) > 0 && Number(gid) > 0) return { name, uid: Number(uid), gid: Number(gid) };
  }
  throw new CodedError(
    'unavailable',
    'Postgres refuses to run as root, and this machine has neither a user "postgres" nor "nobody". ' +
      'Run tillbox as an ordinary user, or set DATABASE_URL to a Postgres server of yours.',
  );
}

/**
 * Runs one program of the server as its account, in a process group of its own, so that Ctrl-C reaches
 * only us. Resolves once it ended, whatever its exit code; a program that cannot be started (not found, not
 * allowed) resolves with code 126. After `limitMs` it is killed.
 */
export async function runAs(
  account: ServerAccount,
  program: string,
  args: readonly string[],
  options: { folder?: string; limitMs: number },
): Promise<Outcome> {
  try {
    return await runProgram(account, program, args, options);
  } catch (error) {
    return { code: 126, output: error instanceof Error ? error.message : String(error) };
  }
}

function runProgram(
  account: ServerAccount,
  program: string,
  args: readonly string[],
  options: { folder?: string; limitMs: number },
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    let output = '';
    const child = spawn(program, args, {
      // A working directory the account cannot enter makes initdb and the shell fail: never inherit ours.
      cwd: options.folder ?? '/',
      // Nothing of ours: PG* variables, LD_* and foreign locales change what the programs do.
      env: { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: '/', LC_ALL: 'C' },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      ...(account.uid === undefined ? {} : { uid: account.uid, gid: account.gid ?? account.uid }),
    });
    const keep = (chunk: Buffer): void => {
      output = (output + chunk.toString('utf8')).slice(-outputCharsMax);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    const limit = setTimeout(() => {
      output += `\n(killed: it took longer than ${options.limitMs} ms)`;
      child.kill('SIGKILL');
    }, options.limitMs);
    const finish = (code: number | null): void => {
      clearTimeout(limit);
      child.stdout.destroy();
      child.stderr.destroy();
      resolve({ code, output: output.trim() });
    };
    child.once('error', (error) => {
      clearTimeout(limit);
      reject(error);
    });
    child.once('close', finish);
    child.once('exit', (code) => setTimeout(finish, pipesGraceMs, code).unref());
  });
}

/** Whether the account can really enter a folder: every folder above it counts, so it is tried. */
export async function canEnter(account: ServerAccount, folder: string): Promise<boolean> {
  const outcome = await runAs(account, '/bin/sh', ['-c', 'cd -- "$1"', 'sh', folder], { limitMs: 10_000 });
  return outcome.code === 0;
}
