import type { Config } from '../platform/config.ts';
import { CodedError } from '../platform/errors.ts';
import { readIfThere } from '../platform/files.ts';
import { hostInUrl } from '../platform/hosts.ts';
import { isRunning } from '../platform/process-identity.ts';
import { localToken } from './local-identity.ts';
import { isCertificate } from './pinned-certificate.ts';
import { ownerOfLock } from './process-lock.ts';
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
 * The gateway to talk to: TILLBOX_URL, else that of the system that `up` started here, else the default address, by
 * TLS where a certificate is configured, and then that one alone counts. The token is TILLBOX_TOKEN, else that of the
 * home; but the home's goes to the gateway of a system that runs in this home now, and nowhere else: whoever else
 * answered, at TILLBOX_URL or where no system of ours runs, could use it. A gateway started by itself leaves no word of
 * where it is, and no token.
 * @throws CodedError `usage` when TILLBOX_TLS_CERT is needed and holds no certificate
 */
export function gatewayAccess(
  config: Pick<Config, 'url' | 'home' | 'gatewayHost' | 'gatewayPort' | 'token'> & {
    door: Pick<Config['door'], 'tls'>;
  },
): GatewayAccess {
  const running = runningGateway(config.home);
  const found = config.url === undefined ? (running ?? defaultGateway(config)) : { url: config.url };
  const isOwn = found.url === running?.url;
  return {
    url: found.url,
    token: config.token ?? (isOwn && runsNow(config.home) ? localToken(config.home) : undefined),
    certificate: isOwn ? running?.certificate : found.certificate,
  };
}

/** Where a gateway started by itself, with this same environment, would be. */
function defaultGateway(config: Parameters<typeof gatewayAccess>[0]): GatewayAccess {
  const { gatewayHost, gatewayPort, door } = config;
  const scheme = door.tls === undefined ? 'http' : 'https';
  const certificate = door.tls && readIfThere(door.tls.certificate);
  if (certificate !== undefined && !isCertificate(certificate)) {
    throw new CodedError('usage', 'TILLBOX_TLS_CERT must be a file with a certificate, as PEM.');
  }
  return { url: `${scheme}://${hostInUrl(gatewayHost)}:${gatewayPort}`, certificate };
}

/** Whether the very process that wrote the runtime file of a home runs: one that was killed leaves its file behind. */
function runsNow(home: string): boolean {
  const owner = ownerOfLock(home);
  return owner?.pid === readRuntime(home)?.pid && isRunning(owner);
}

/** The gateway of the system that runs in a home, or was killed there. */
export function runningGateway(home: string): GatewayAccess | undefined {
  const { url, certificate } = readRuntime(home)?.gateway ?? {};
  if (url === undefined || !/^https?:\/\/./.test(url) || !URL.canParse(url)) return undefined;
  return { url: url.replace(/\/+$/, ''), certificate: certificate && readIfThere(certificate) };
}
