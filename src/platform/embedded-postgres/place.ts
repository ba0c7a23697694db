import { createHash, randomBytes } from 'node:crypto';
import {
  chmod,
  chown,
  link,
  lstat,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
  rmdir,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { CodedError } from '../errors.ts';
import { canEnter, chooseAccount, isRoot, type ServerAccount } from './account.ts';
import { ignoring, partialName } from './partial.ts';

/**
 * Where one embedded server keeps everything, and who runs it. In the folder: `data`, `password`, `port`,
 * `tillbox.conf`, `server.log`. The folder is ours and its account may pass through it; `data`, `password`
 * and `server.log` are the account's.
 */
export interface ServerPlace {
  readonly folder: string;
  readonly account: ServerAccount;
}

/** Where data go, as root, when the account cannot reach the folder that was asked for. */
const reachableFolder = '/var/lib/tillbox';
/** Bytes of log from which the next start begins a new one. */
const logBytesMax = 10 * 2 ** 20;
/** Entries of a place, all that a wipe removes. */
const entries = /^(data|password|port|tillbox\.conf|server\.log(\.1)?)(\.partial-\d+-[0-9a-f]+)?$/;

/**
 * The place behind `folder`, made if missing. As root the account must be able to reach it: if it cannot, a
 * new place is made in /var/lib/tillbox and `folder` becomes a symbolic link to it.
 */
export async function openPlace(folder: string): Promise<ServerPlace> {
  const path = resolve(folder);
  const found = await findPlace(path);
  const account = found?.account ?? (await chooseAccount());
  if (!isRoot()) {
    await mkdir(path, { recursive: true, mode: 0o700 });
    return { folder: await realpath(path), account };
  }
  const elsewhere = reachablePlaceOf(path);
  if ((await linkTarget(path)) === elsewhere) await makeElsewhere(elsewhere);
  const real = found?.folder ?? (await realpath(path).catch(() => undefined));
  if (real) {
    const used = await hasEntries(real);
    if (!used) await chmod(real, 0o711);
    if (await canEnter(account, real)) return { folder: real, account };
    if (used) throw unreachableData(account, real);
    // Ours and empty: anything else in it makes this fail, and stays.
    await rmdir(real).catch(ignoring('ENOENT', 'ENOTDIR'));
  } else {
    await mkdir(dirname(path), { recursive: true, mode: 0o711 });
    if (await canEnter(account, dirname(path))) {
      await mkdir(path, { mode: 0o711 }).catch(ignoring('EEXIST'));
      await chmod(path, 0o711); // Whatever the umask took away.
      return { folder: await realpath(path), account };
    }
  }
  await makeElsewhere(elsewhere);
  if (!(await canEnter(account, elsewhere))) {
    throw new CodedError(
      'unavailable',
      `Postgres runs as ${account.name} here, because we are root, and can reach neither ${path} nor ` +
        `${elsewhere}. Set TILLBOX_HOME to a folder that it can reach, or set DATABASE_URL.`,
    );
  }
  await symlink(elsewhere, path).catch(ignoring('EEXIST'));
  return { folder: await realpath(path), account };
}

/** The place behind `folder` if there is one, with the account that owns its data. Makes nothing. */
export async function findPlace(folder: string): Promise<ServerPlace | undefined> {
  const real = await realpath(resolve(folder)).catch(() => undefined);
  if (!real) return undefined;
  const data = await stat(join(real, 'data')).catch(() => undefined);
  return { folder: real, account: await chooseAccount(data) };
}

/** A fresh place below the temporary folder, for an ephemeral server. */
export async function makeTemporaryPlace(): Promise<ServerPlace> {
  const account = await chooseAccount();
  for (const parent of new Set([tmpdir(), '/tmp', '/var/tmp'])) {
    const folder = await mkdtemp(join(parent, 'tillbox-')).catch(() => undefined);
    if (!folder) continue;
    if (isRoot()) await chmod(folder, 0o711);
    if (await canEnter(account, folder)) return { folder: await realpath(folder), account };
    await rmdir(folder);
  }
  throw new CodedError(
    'unavailable',
    `There is no temporary folder that ${account.name} can reach: set TMPDIR to one, or set DATABASE_URL.`,
  );
}

/** Removes what a stopped server left in the place behind `folder`, and the folders this leaves empty. */
export async function removePlace(folder: string): Promise<void> {
  const path = resolve(folder);
  const real = await realpath(path).catch(() => undefined);
  if (real) {
    for (const name of await readdir(real)) {
      if (entries.test(name)) await rm(join(real, name), { recursive: true, force: true });
    }
    await rmdir(real).catch(ignoring('ENOTEMPTY', 'EEXIST'));
  }
  if ((await linkTarget(path)) === reachablePlaceOf(path)) await rm(path);
}

/**
 * The administrator's password of a place: random, made once, in a file that only the account can read. Of
 * two processes that make it at once, both get the same one.
 */
export async function passwordOf(place: ServerPlace): Promise<string> {
  const path = join(place.folder, 'password');
  const partial = partialName(path);
  if (!(await stat(path).catch(() => undefined))) {
    if (await stat(join(place.folder, 'data')).catch(() => undefined)) {
      throw new CodedError(
        'conflict',
        `${path} is missing, so the data beside it cannot be opened: put the file back, or remove the data ` +
          'with "tillbox down --wipe".',
      );
    }
    await writeFile(partial, `${randomBytes(24).toString('hex')}\n`, { mode: 0o600, flag: 'wx' });
    await giveTo(place.account, partial);
    // A link, unlike a rename, never replaces the password somebody else has just made.
    await link(partial, path).catch(ignoring('EEXIST'));
    await rm(partial);
  }
  return (await readFile(path, 'utf8')).trim();
}

/** Makes the account the owner of a file or folder that we made; nothing to do unless we are root. */
export async function giveTo(account: ServerAccount, path: string): Promise<void> {
  if (account.uid !== undefined) await chown(path, account.uid, account.gid ?? account.uid);
}

/**
 * Makes the log of a server that does not run, if missing, since the server itself may not create files in
 * its place; a long one is put aside.
 */
export async function prepareLog(place: ServerPlace): Promise<void> {
  const path = join(place.folder, 'server.log');
  const size = (await stat(path).catch(() => undefined))?.size ?? 0;
  if (size > logBytesMax) await rename(path, `${path}.1`);
  const file = await open(path, 'wx', 0o600).catch(ignoring('EEXIST'));
  if (!file) return;
  await file.close();
  await giveTo(place.account, path);
}

function unreachableData(account: ServerAccount, folder: string): CodedError {
  return new CodedError(
    'conflict',
    `Postgres runs as ${account.name} here, because we are root, and cannot reach its data in ${folder}. Let ` +
      'others pass through every folder above it (chmod o+x), or move it to where they can.',
  );
}

function reachablePlaceOf(path: string): string {
  return join(reachableFolder, createHash('sha256').update(path).digest('hex').slice(0, 16));
}

async function makeElsewhere(elsewhere: string): Promise<void> {
  await mkdir(reachableFolder, { recursive: true, mode: 0o755 });
  await mkdir(elsewhere, { recursive: true, mode: 0o711 });
  for (const folder of [reachableFolder, elsewhere]) {
    const found = await lstat(folder);
    if (!found.isDirectory() || found.uid !== 0 || (found.mode & 0o022) !== 0) {
      throw new CodedError(
        'unavailable',
        `${folder} is not a folder that only root can write to: repair it.`,
      );
    }
    await chmod(folder, folder === elsewhere ? 0o711 : 0o755);
  }
}

async function linkTarget(path: string): Promise<string | undefined> {
  return readlink(path).catch(() => undefined);
}

async function hasEntries(folder: string): Promise<boolean> {
  return (await readdir(folder)).some((name) => entries.test(name));
}
