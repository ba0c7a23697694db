import type { Config } from '../platform/config.ts';
import { readIfThere } from '../platform/files.ts';
import { hostInUrl } from '../platform/hosts.ts';
import { localToken } from './local-identity.ts';
import { readRuntime } from './runtime-file.ts';

/** How the gateway is reached: where, as whom, and by which certificate it is known. */
export interface GatewayAccess {
  url: string;
  token?: string | undefined;
  /** PEM: the only certificate to accept, of a system that runs on this machine. */
  certificate?: string | undefined;
  /** The trace that requests belong to. */
  traceparent?: string | undefined;
}

/**
 * The gateway to talk to: TILLBOX_URL, else that of the running system, else the default address. The token is
 * TILLBOX_TOKEN, else that of the home; but the home's goes to the home's own gateway only, because whoever else
 * answered at TILLBOX_URL could use it.
 */
export function gatewayAccess(
  config: Pick<Config, 'url' | 'home' | 'gatewayHost' | 'gatewayPort' | 'token'>,
): GatewayAccess {
  const running = runningGateway(config.home);
  const host = hostInUrl(config.gatewayHost);
  const url = config.url ?? running?.url ?? `http://${host}:${config.gatewayPort}`;
  const isOwn = config.url === undefined || config.url === running?.url;
  return {
    url,
    token: config.token ?? (isOwn ? localToken(config.home) : undefined),
    certificate: isOwn ? running?.certificate : undefined,
  };
}

/** The gateway of the system that runs in a home. */
export function runningGateway(home: string): GatewayAccess | undefined {
  const { url, certificate } = readRuntime(home)?.gateway ?? {};
  if (url === undefined || !/^https?:\/\/./.test(url) || !URL.canParse(url)) return undefined;
  return { url: url.replace(/\/+$/, ''), certificate: certificate && readIfThere(certificate) };
}
