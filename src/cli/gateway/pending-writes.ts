import { createHash } from 'node:crypto';
import { access, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder } from '../../platform/folders.ts';

/** A write that may have been sent and has no answer yet. */
export interface PendingWrite {
  idempotency_key: string;
  url: string;
  path: string;
  body: object;
  started_at: string;
  /** The process that sends it. */
  pid: number;
}

/** Files read when an earlier write is looked for. */
const filesReadMax = 1_000;

/**
 * The journal of writes under way: one file each in TILLBOX_HOME/pending, there before the request is sent
 * and gone after a definite answer. What is left is what nobody knows the outcome of, with the key that
 * makes its repetition safe.
 */
export class PendingWrites {
  readonly #folder: string;

  constructor(home: string) {
    this.#folder = join(home, 'pending');
  }

  /** Whether a write of this key is here already. */
  has(idempotencyKey: string): Promise<boolean> {
    return access(this.#pathOf(idempotencyKey)).then(
      () => true,
      () => false,
    );
  }

  /** Writes a write down, safe from a power cut. Rejects when the folder cannot be written. */
  async add(write: PendingWrite): Promise<void> {
    makeFolder(this.#folder);
    const path = this.#pathOf(write.idempotency_key);
    const partial = `${path}.${process.pid}`;
    const file = await open(partial, 'w', 0o600);
    try {
      await file.writeFile(`${JSON.stringify(write)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(partial, path);
    const folder = await open(this.#folder, 'r');
    await folder.sync().finally(() => folder.close());
  }

  /** Forgets a write whose outcome is known. What cannot be removed stays; its repetition is safe. */
  async remove(idempotencyKey: string): Promise<void> {
    await rm(this.#pathOf(idempotencyKey), { force: true }).catch(() => {});
  }

  /** An earlier write of the same content that ended without an answer. Never rejects. */
  async findSame(write: Pick<PendingWrite, 'path' | 'body'>): Promise<PendingWrite | undefined> {
    const names = await readdir(this.#folder).catch(() => []);
    const body = JSON.stringify(write.body);
    for (const name of names.filter((file) => file.endsWith('.json')).slice(0, filesReadMax)) {
      const earlier = await this.#read(name);
      const isSame = earlier?.path === write.path && JSON.stringify(earlier.body) === body;
      if (isSame && !isAlive(earlier.pid)) return earlier;
    }
    return undefined;
  }

  async #read(name: string): Promise<PendingWrite | undefined> {
    try {
      return JSON.parse(await readFile(join(this.#folder, name), 'utf8'));
    } catch {
      return undefined;
    }
  }

  #pathOf(key: string): string {
    // A key of a user may hold slashes, or be too long for a file name.
    const isName = /^[A-Za-z0-9_-]{1,64}$/.test(key);
    return join(this.#folder, `${isName ? key : createHash('sha256').update(key).digest('hex')}.json`);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Somebody else's process is one that runs.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
