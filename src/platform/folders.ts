import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/**
 * Makes a folder, and those above it that are missing, for its owner alone; does nothing when it is there. Throws the
 * error of the file system. Not `mkdirSync` with `recursive`, which never returns where a folder that is there takes
 * none, as in /proc.
 */
export function makeFolder(path: string): void {
  const missing: string[] = [];
  for (let at = resolve(path); !existsSync(at); at = dirname(at)) missing.unshift(at);
  for (const at of missing) mkdirUnlessThere(at);
  if (missing.length === 0 && !statSync(path).isDirectory()) mkdirSync(path);
}

function mkdirUnlessThere(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || !statSync(path).isDirectory()) throw error;
  }
}
