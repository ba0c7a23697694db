import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A file system of its own that can be filled and freed. */
export interface SmallDisk {
  folder: string;
  /** Takes all that is left. */
  fill(): void;
  /** Gives it back. */
  free(): void;
  /** Takes it away, whoever still uses it. */
  unmount(): void;
}

/**
 * Mounts a small disk for the account that owns another folder. Undefined, with the reason printed, where
 * nobody may mount.
 * @param size as tmpfs takes it, such as `3m`
 */
export function mountSmallDisk(size: string, ownedLike: string): SmallDisk | undefined {
  if (process.geteuid?.() !== 0) {
    console.log('      skipped: only root may mount a small disk');
    return undefined;
  }
  const folder = mkdtempSync('/tmp/tillbox-disk-');
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder], { stdio: 'pipe' });
  } catch {
    rmSync(folder, { recursive: true });
    console.log('      skipped: this machine lets nobody mount');
    return undefined;
  }
  const { uid, gid } = statSync(ownedLike);
  chownSync(folder, uid, gid);
  chmodSync(folder, 0o700);
  const ballast = join(folder, 'ballast');
  return {
    folder,
    fill: () => {
      try {
        execFileSync('sh', ['-c', `cat /dev/zero > ${ballast} 2>/dev/null`]);
      } catch {
        // Until it is full.
      }
    },
    free: () => writeFileSync(ballast, ''),
    unmount: () => {
      execFileSync('umount', ['-l', folder]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
