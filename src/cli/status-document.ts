import { type Config, type DatabaseName, databaseNames, redactUrl } from '../platform/config.ts';
import { gatewayAccess } from '../system/gateway-access.ts';
import { healthOf } from '../system/health.ts';
import { trustOnly } from '../system/pinned-certificate.ts';
import type { Runtime } from '../system/runtime-file.ts';

/** What `tillbox status --json` prints. */
export interface StatusDocument {
  gateway: { url: string; ready: boolean };
  orders: { url: string; instances: { pid: number | null; ready: boolean }[] };
  payments: { url: string; instances: { pid: number | null; ready: boolean }[] };
  databases: Record<DatabaseName, { url: string | null }>;
  embedded: boolean;
}

/**
 * Asks the system how it is. With a runtime file every process is asked by itself; without one the gateway
 * is asked for all it knows.
 */
export async function statusDocument(options: {
  runtime: Runtime | undefined;
  config: Config;
  showSecrets: boolean;
}): Promise<StatusDocument> {
  const { runtime, config, showSecrets } = options;
  const { url, token, certificate } = gatewayAccess(config);
  const gateway = await healthOf(url, token, certificate === undefined ? undefined : trustOnly(certificate));
  const service = async (name: 'orders' | 'payments') => {
    const started = runtime?.[name];
    const instances =
      started === undefined
        ? (gateway?.[name] ?? [])
        : await Promise.all(
            started.map(async ({ url: own, pid }) => {
              const answer = await healthOf(own);
              return { url: own, pid: answer?.pid ?? pid, ready: answer?.ready ?? false };
            }),
          );
    const fallback = (name === 'orders' ? config.ordersUrls : config.paymentsUrls)[0] ?? '';
    return {
      url: instances[0]?.url ?? fallback,
      instances: instances.map(({ pid, ready }) => ({ pid, ready })),
    };
  };
  const [orders, payments] = await Promise.all([service('orders'), service('payments')]);
  const databases = runtime?.databases ?? config.databaseUrls;
  const shown = (name: DatabaseName) => {
    const database = databases[name];
    if (database === undefined) return { url: null };
    return { url: showSecrets ? database : redactUrl(database) };
  };
  return {
    gateway: { url, ready: gateway?.ready ?? false },
    orders,
    payments,
    databases: Object.fromEntries(
      databaseNames.map((name) => [name, shown(name)]),
    ) as StatusDocument['databases'],
    embedded: runtime?.embedded ?? false,
  };
}
