import type { Config } from '../platform/config.ts';
import { readRuntime } from '../system/runtime-file.ts';

/** The gateway to talk to: TILLBOX_URL, else that of the running system, else the default address. */
export function gatewayUrl(config: Pick<Config, 'url' | 'home' | 'gatewayHost' | 'gatewayPort'>): string {
  if (config.url !== undefined) return config.url;
  const host = config.gatewayHost.includes(':') ? `[${config.gatewayHost}]` : config.gatewayHost;
  return urlOfRunningSystem(config.home) ?? `http://${host}:${config.gatewayPort}`;
}

function urlOfRunningSystem(home: string): string | undefined {
  const url = readRuntime(home)?.gateway.url;
  return url !== undefined && /^https?:\/\/./.test(url) && URL.canParse(url)
    ? url.replace(/\/+$/, '')
    : undefined;
}
