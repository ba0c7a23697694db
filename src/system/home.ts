import { join } from 'node:path';
import { CodedError } from '../platform/errors.ts';
import { makeFolder } from '../platform/folders.ts';

/** Makes the folder of all state, or one in it, unless it is there; answers its path. Throws `usage`. */
export function makeHome(home: string, folder = ''): string {
  const path = join(home, folder);
  try {
    makeFolder(path);
    return path;
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const detail = `TILLBOX_HOME must be a folder that is there or can be made; ${path} cannot be (${code}). Set it to another one.`;
    throw new CodedError('usage', detail, { cause });
  }
}
