import { type EventEmitter, once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DatabaseName } from '../platform/config.ts';
import type { Logger } from '../platform/logging.ts';
import type { DatabaseUrls } from './migrate.ts';
import { logsIn } from './role-login.ts';
import { roleUrl } from './roles.ts';

/** How soon a daemon that is in trouble notices that its login has changed; a look costs a connection. */
const troubledLookMs = 5_000;
/** The same for one that goes on with the connections it has. */
const lookMs = 300_000;

/** The services' own logins, as the administrator's URLs lead to them now. */
export class Logins {
  readonly #administrator: DatabaseUrls;
  readonly #log: Logger;
  readonly #known: Partial<DatabaseUrls> = {};

  constructor(administrator: DatabaseUrls, log: Logger) {
    this.#administrator = administrator;
    this.#log = log;
  }

  /** Looks them up. Of a database that is away, the one known before is answered. */
  async lookUp(): Promise<DatabaseUrls> {
    const look = async (name: DatabaseName): Promise<string> => {
      try {
        this.#known[name] = await roleUrl(this.#administrator[name], name, this.#log);
      } catch (error) {
        if (this.#known[name] === undefined) throw error;
      }
      return this.#known[name];
    };
    const [orders, payments, broker] = await Promise.all([look('orders'), look('payments'), look('broker')]);
    return { orders, payments, broker };
  }
}

/**
 * Resolves true when a server refuses one of these logins, because `tillbox migrate --rotate` gave the role another
 * password; false when aborted first. A server that is away refuses nothing.
 * @param trouble emits `trouble` when something does not work, for whatever reason
 */
export async function untilRefused(
  urls: readonly string[],
  trouble: EventEmitter,
  signal: AbortSignal,
): Promise<boolean> {
  const isRefused = async (url: string) => !(await logsIn(url).catch(() => true));
  while (!signal.aborted) {
    await sleep(troubledLookMs, undefined, { signal, ref: false }).catch(() => {});
    const rest = AbortSignal.any([signal, AbortSignal.timeout(lookMs - troubledLookMs)]);
    await once(trouble, 'trouble', { signal: rest }).catch(() => {});
    const refused = signal.aborted ? [] : await Promise.all(urls.map(isRefused));
    if (refused.includes(true)) return true;
  }
  return false;
}
