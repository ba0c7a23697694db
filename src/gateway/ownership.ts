import { mayActFor, type Principal } from '../platform/identity/principal.ts';
import { accountNotFound, anothersAccount } from '../platform/identity/refusals.ts';
import type { Route } from './routes.ts';

/** What of a request says whose account or orders it is about. */
export interface Asked {
  params: unknown;
  query: unknown;
  body: Buffer | undefined;
}

/**
 * Refuses what a principal asks about another user, as far as the request shows it: an order's owner only the service
 * knows. What breaks a rule is left to the service, which decides all of this again.
 * @throws CodedError `account-not-found`, as for an account that is not there, or `forbidden`
 */
export function refuseAnothers(principal: Principal, { method, path }: Route, asked: Asked): void {
  if (principal.scope === 'operator') return;
  for (const place of [asked.params, asked.query, method === 'POST' ? parsed(asked.body) : undefined]) {
    const userId = (place as { user_id?: unknown } | null | undefined)?.user_id;
    if (typeof userId !== 'string' || mayActFor(principal, userId)) continue;
    throw path === '/accounts' ? anothersAccount() : accountNotFound(userId);
  }
}

function parsed(body: Buffer | undefined): unknown {
  try {
    return JSON.parse(String(body));
  } catch {
    return undefined;
  }
}
