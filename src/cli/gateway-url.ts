import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../platform/config.ts';

/** Where `up` writes down what runs, inside TILLBOX_HOME. */
const runtimeFile = 'runtime.json';

/** The gateway to talk to: TILLBOX_URL, else that of the running system, else the default address. */
export function gatewayUrl(config: Pick<Config, 'url' | 'home' | 'gatewayHost' | 'gatewayPort'>): string {
  if (config.url !== undefined) return config.url;
  const host = config.gatewayHost.includes(':') ? `[${config.gatewayHost}]` : config.gatewayHost;
  return urlInRuntimeFile(config.home) ?? `http://${host}:${config.gatewayPort}`;
}

/** The file may be absent, half written or of another version: then it says nothing. */
function urlInRuntimeFile(home: string): string | undefined {
  try {
    const url: unknown = JSON.parse(readFileSync(join(home, runtimeFile), 'utf8'))?.gateway?.url;
    return typeof url === 'string' && /^https?:\/\/./.test(url) && URL.canParse(url)
      ? url.replace(/\/+$/, '')
      : undefined;
  } catch {
    return undefined;
  }
}
