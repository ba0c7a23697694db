import type { OrderView } from '../../orders/order.ts';
import { type Environment, readConfig } from '../../platform/config.ts';
import { isUserId } from '../../platform/field-schemas.ts';
import { type GatewayAccess, gatewayAccess } from '../../system/gateway-access.ts';
import { exchange, readText } from '../gateway/http-exchange.ts';
import { readRecent } from '../recent.ts';
import type { Candidate } from './wanted.ts';

/** Somebody waits with a finger on TAB: what the gateway does not say at once is left out. */
const answerMsMax = 100;
const ordersMax = 20;

/** Users that commands here had to do with, newest first. */
export function knownUsers(environment: Environment): Candidate[] {
  const { users } = readRecent(readConfig(environment).home);
  return users.map((value) => ({ value, description: '' }));
}

/**
 * Orders that commands here had to do with, newest first. What is typed may also be a user: then the ids of
 * that user's newest orders, as the gateway knows them; with nothing typed, of the user dealt with last.
 */
export async function knownOrders(environment: Environment, typed: string): Promise<Candidate[]> {
  const config = readConfig(environment);
  const recent = readRecent(config.home);
  const remembered = recent.orders.filter((id) => id.startsWith(typed.toLowerCase()));
  const user = typed === '' ? recent.users[0] : typed;
  const isWanted = typed === '' || remembered.length === 0;
  const found =
    user !== undefined && isUserId(user) && isWanted ? await ordersOf(user, gatewayAccess(config)) : [];
  const described = new Set(found.map(({ value }) => value));
  const others = remembered.filter((id) => !described.has(id));
  return [...found, ...others.map((value) => ({ value, description: '' }))];
}

async function ordersOf(user: string, access: GatewayAccess): Promise<Candidate[]> {
  const signal = AbortSignal.timeout(answerMsMax);
  try {
    const path = `/orders?user_id=${encodeURIComponent(user)}&limit=${ordersMax}`;
    const { orders } = JSON.parse(
      await readText(await exchange(access, { method: 'GET', path }, signal)),
    ) as {
      orders: OrderView[];
    };
    return orders.map(({ id, status, amount, description }) => ({
      value: id,
      description: `${status} ${amount} ${description}`.trimEnd(),
    }));
  } catch {
    return [];
  }
}
