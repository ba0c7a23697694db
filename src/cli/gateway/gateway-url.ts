import type { Config } from '../../platform/config.ts';
import { readRuntime } from '../../system/runtime-file.ts';

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

/** Whether the gateway at `url` is one of a system that runs here: then it is started again if it is away. */
export async function isSupervised(url: string, home: string): Promise<boolean> {
  const { isRunning, ownerOfLock } = await import('../../system/process-lock.ts');
  return urlOfRunningSystem(home) === url && isRunning(ownerOfLock(home));
}
