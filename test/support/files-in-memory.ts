import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

/**
 * Keeps the temporary files of a test run in memory, where there is enough of it: some hundred databases are made,
 * of hundreds of files each, and on a disk making them was a tenth of all the work.
 */

const memory = '/dev/shm';
const freeBytesMin = 6 * 1024 ** 3;
const prefix = 'tillbox-tests-';

// By the first process of a run; those it starts inherit `TMPDIR`.
if (process.env['TMPDIR'] === undefined && existsSync(memory)) {
  removeLeftOvers();
  const folder = folderInMemory();
  if (folder !== undefined) {
    process.env['TMPDIR'] = folder;
    // Not before the server of the run has stopped, which lives in it.
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  }
}

/** A folder for this run; undefined where memory is small, or programs cannot be run from it. */
function folderInMemory(): string | undefined {
  try {
    const { bavail, bsize } = statfsSync(memory);
    if (bavail * bsize < freeBytesMin) return undefined;
    const folder = join(memory, `${prefix}${process.pid}`);
    mkdirSync(folder);
    // As open as any folder for temporary files: for root Postgres runs as another user.
    chmodSync(folder, 0o1777);
    const program = join(folder, 'program');
    writeFileSync(program, '', { mode: 0o700 });
    accessSync(program, constants.X_OK);
    rmSync(program);
    return folder;
  } catch {
    return undefined;
  }
}

/** Of runs that were killed: memory does not come back by itself. */
function removeLeftOvers(): void {
  const names = readdirSync(memory).filter((name) => name.startsWith(prefix));
  for (const name of names) {
    if (existsSync(`/proc/${name.slice(prefix.length)}`)) continue;
    rmSync(join(memory, name), { recursive: true, force: true });
  }
}
