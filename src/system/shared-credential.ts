import type { Config } from '../platform/config.ts';
import { CodedError } from '../platform/errors.ts';
import { ensureHomeSecret } from './home-secret.ts';

/**
 * What gateway and services that are started one by one recognise each other by: TILLBOX_GATEWAY_SECRET, else a secret
 * of the home they share, made by the first of them. So no service ever believes whoever reaches its port.
 * @throws CodedError `usage` when there is neither
 */
export function sharedCredential({ door, home }: Pick<Config, 'door' | 'home'>): string {
  if (door.gatewaySecret !== undefined) return door.gatewaySecret;
  try {
    return ensureHomeSecret(home, 'gateway-secret');
  } catch (cause) {
    const detail = `TILLBOX_GATEWAY_SECRET must be set, to the same value for the gateway, orders and payments: none can be kept in ${home}.`;
    throw new CodedError('usage', detail, { cause });
  }
}
