import { randomBytes } from 'node:crypto';
import { linkSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readIfThere } from '../platform/files.ts';
import { secretBytesMin } from '../platform/identity/token-sources.ts';
import { makeHome } from './home.ts';

/**
 * Secrets that a home keeps for itself, each in a file that only its owner can read: `auth-secret` signs tokens,
 * `gateway-secret` is what gateway and services recognise each other by.
 */
type SecretName = 'auth-secret' | 'gateway-secret';

/** A secret of a home; undefined when there is none. */
export function homeSecret(home: string, name: SecretName): string | undefined {
  const secret = readIfThere(join(home, name))?.trim() ?? '';
  return Buffer.byteLength(secret) < secretBytesMin ? undefined : secret;
}

/** The same, made unless it is there. Several may make it at once: the first one's counts for all. */
export function ensureHomeSecret(home: string, name: SecretName): string {
  const known = homeSecret(home, name);
  if (known !== undefined) return known;
  const path = join(makeHome(home), name);
  const mine = `${path}.${process.pid}`;
  writeFileSync(mine, `${randomBytes(48).toString('base64url')}\n`, { mode: 0o600 });
  try {
    linkSync(mine, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    // What is there is no secret, or somebody else's, made this moment.
    if (homeSecret(home, name) === undefined) renameSync(mine, path);
  } finally {
    rmSync(mine, { force: true });
  }
  return homeSecret(home, name) as string;
}
