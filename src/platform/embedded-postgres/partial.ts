import { randomBytes } from 'node:crypto';
import { chmod, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Names for what is not complete yet. It is made beside its final name and renamed when it is whole, so a
 * process that is killed half-way leaves a name nobody takes for the real thing.
 */
export function partialName(path: string): string {
  return `${path}.partial-${process.pid}-${randomBytes(4).toString('hex')}`;
}

/** Removes the partial files and folders whose makers no longer live. */
export async function removeAbandoned(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const pid = /\.partial-(\d+)-[0-9a-f]{8}$/.exec(name)?.[1];
    if (pid && !isAlive(Number(pid))) await rm(join(folder, name), { recursive: true, force: true });
  }
}

/** Replaces a small file at once: a reader sees the old content or the new one, and no link is followed. */
export async function replaceFile(path: string, content: string, mode: number): Promise<void> {
  const partial = partialName(path);
  await writeFile(partial, content, { mode, flag: 'wx' });
  await chmod(partial, mode); // Whatever the umask took away.
  await rename(partial, path);
}

/** Whether a process with this id exists, ours or not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** For `catch`: swallows the file system errors that mean somebody else did the same thing first. */
export function ignoring(...codes: readonly string[]): (error: NodeJS.ErrnoException) => undefined {
  return (error) => {
    if (!codes.includes(error.code ?? '')) throw error;
    return undefined;
  };
}
