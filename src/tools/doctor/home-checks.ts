import { accessSync, constants, type Stats, statfsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ownerOfLock } from '../../system/process-lock.ts';
import { type Finding, failure, ok, warning } from './finding.ts';
import type { Surroundings } from './surroundings.ts';

/** Files in a home that hold passwords or let somebody act as its user. */
const secretFiles = ['runtime.json', 'auth-secret', 'gateway-secret', 'token', 'postgres/password'];
/** Files in a home that only its user has business with. */
const privateFolders = ['pending', 'logs'];

const mebibyte = 2 ** 20;
/** Below this, Postgres may stop for want of room: its log alone may grow to 4 GB. */
const freeBytesEnough = 4_096 * mebibyte;
const freeBytesMin = 256 * mebibyte;

/** The folder of all state: whether it can be used, who else can read it, what a killed system left there. */
export async function checkHome(surroundings: Surroundings): Promise<Finding[]> {
  const { home } = surroundings.config;
  const found = statOf(home);
  if (found === undefined) return [checkFutureHome(home)];
  return [checkAccess(home, found), checkSecrets(home), checkSpace(home), ...checkRemains(surroundings)];
}

function checkFutureHome(home: string): Finding {
  let parent = dirname(home);
  while (statOf(parent) === undefined && parent !== dirname(parent)) parent = dirname(parent);
  if (isWritable(parent)) return ok('home', `${home} is not there yet; the first start makes it.`);
  return failure(
    'home',
    `${home} is not there, and ${parent} cannot be written.`,
    'Set TILLBOX_HOME to a folder that can be made',
  );
}

function checkAccess(home: string, found: Stats): Finding {
  if (!found.isDirectory())
    return failure('home', `${home} is no folder.`, 'Set TILLBOX_HOME to another path');
  if (!isWritable(home)) {
    return failure('home', `${home} cannot be written by this user.`, `chown ${userName()} ${quoted(home)}`);
  }
  if ((found.mode & 0o022) !== 0) {
    const detail = `Others may write to ${home}, so they could replace what is in it.`;
    return failure('home', detail, `chmod go-w ${quoted(home)}`);
  }
  return ok('home', `Only this user can write to ${home}.`);
}

function checkSecrets(home: string): Finding {
  const readable = (paths: readonly string[]) =>
    paths.map((path) => join(home, path)).filter((path) => ((statOf(path)?.mode ?? 0) & 0o077) !== 0);
  const secrets = readable(secretFiles);
  if (secrets.length > 0) {
    const detail = `Others may read ${secrets.join(', ')}, and with the secrets in it act as this user.`;
    return failure('secrets', detail, `chmod 600 ${secrets.map(quoted).join(' ')}`);
  }
  const folders = readable(privateFolders);
  if (folders.length > 0) {
    return warning(
      'secrets',
      `Others may look into ${folders.join(', ')}.`,
      `chmod 700 ${folders.map(quoted).join(' ')}`,
    );
  }
  return ok('secrets', 'No other user can read passwords, logs or the journal of writes.');
}

function checkSpace(home: string): Finding {
  const { bavail, bsize } = statfsSync(home);
  const free = bavail * bsize;
  const detail = `${(free / 2 ** 30).toFixed(1)} GiB are free below ${home}.`;
  const remedy = 'Make room, or set TILLBOX_HOME to a larger disk';
  if (free < freeBytesMin) return failure('disk', detail, remedy);
  return free < freeBytesEnough ? warning('disk', detail, remedy) : ok('disk', detail);
}

/** What is left of a supervisor that was killed. */
function checkRemains({ config, runtime, supervised, embedded }: Surroundings): Finding[] {
  if (supervised) return [ok('supervisor', `tillbox up runs, process ${runtime?.pid ?? 'unknown'}.`)];
  const owner = ownerOfLock(config.home);
  if (owner === undefined && runtime === undefined && embedded.url === undefined) return [];
  const left = embedded.url === undefined ? '' : ' Its Postgres still runs.';
  return [
    warning(
      'supervisor',
      `tillbox up, process ${owner?.pid ?? runtime?.pid ?? 'unknown'}, ended without cleaning up.${left}`,
      'tillbox down cleans up; tillbox up goes on',
    ),
  ];
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function userName(): string {
  return String(process.getuid?.() ?? 'you');
}

/** As a shell reads it back. */
function quoted(path: string): string {
  return /^[\w./@:-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
