import { renameSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import type { Config } from '../platform/config.ts';
import { readIfThere } from '../platform/files.ts';
import { ownParties, type SecretSource } from '../platform/identity/token-sources.ts';
import type { Logger } from '../platform/logging.ts';
import { PassLoop } from '../platform/pass-loop.ts';
import { ensureHomeSecret, homeSecret } from './home-secret.ts';

/**
 * The identity of this machine's own operator: a secret in the home, which signs what `tillbox token` issues
 * where no TILLBOX_AUTH_SECRET is set, and a token made with it, which the command line sends. Both are files
 * that only their owner can read; whoever can read them can read the database's password there too.
 */

const tokenPath = (home: string) => join(home, 'token');

/** A file may be copied away; the one that is left counts for a month at most. */
const tokenSeconds = 30 * 86_400;
/** Renewed while the system runs, long before its end. */
const renewMs = 12 * 3_600_000;

/** The secret that signs tokens in a home; undefined when there is none. */
export function localSecret(home: string): SecretSource | undefined {
  const secret = homeSecret(home, 'auth-secret');
  return secret === undefined ? undefined : { secret, ...ownParties };
}

/** The secret that tokens are signed with here: the configured one, else the home's, made unless it is there. */
export function signingSecret(config: Pick<Config, 'home' | 'door'>): SecretSource {
  return config.door.secret ?? { secret: ensureHomeSecret(config.home, 'auth-secret'), ...ownParties };
}

/** Keeps the token of the local operator in the home, and fresh for as long as it runs. */
export function localTokenLoop(config: Pick<Config, 'home' | 'door'>, log: Logger): PassLoop {
  return new PassLoop({
    name: 'local-token',
    idleMs: renewMs,
    log,
    pass: async () => {
      await writeLocalToken(config);
      return false;
    },
  });
}

/** Writes a new token for the local operator, whole: a reader sees the old one or the new one. */
export async function writeLocalToken(config: Pick<Config, 'home' | 'door'>): Promise<void> {
  // Not for those who only read the token: every command of a client.
  const { signToken } = await import('../platform/identity/tokens.ts');
  const token = { subject: operatorName(), scope: 'operator', seconds: tokenSeconds } as const;
  const temporary = `${tokenPath(config.home)}.${process.pid}`;
  writeFileSync(temporary, `${await signToken(signingSecret(config), token)}\n`, { mode: 0o600 });
  renameSync(temporary, tokenPath(config.home));
}

/** The user this runs as; in a container it may have no name. */
function operatorName(): string {
  try {
    return userInfo().username || 'operator';
  } catch {
    return 'operator';
  }
}

/** The token of the local operator; undefined when there is none, or it has expired. */
export function localToken(home: string, now = Date.now()): string | undefined {
  const token = readIfThere(tokenPath(home))?.trim();
  const claims = token?.split('.')[1];
  if (token === undefined || claims === undefined) return undefined;
  try {
    const { exp } = JSON.parse(Buffer.from(claims, 'base64url').toString('utf8'));
    return exp * 1_000 > now ? token : undefined;
  } catch {
    return undefined;
  }
}
