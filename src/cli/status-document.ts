import { type Config, type DatabaseName, databaseNames } from '../platform/config.ts';
import { redactUrl } from '../platform/secrets.ts';
import { gatewayAccess } from '../system/gateway-access.ts';
import { instancesHealth } from '../system/instances-health.ts';
import type { Runtime } from '../system/runtime-file.ts';

/** What `tillbox status --json` prints. */
export interface StatusDocument {
  gateway: { url: string; ready: boolean };
  orders: { url: string; instances: { pid: number | null; ready: boolean }[] };
  payments: { url: string; instances: { pid: number | null; ready: boolean }[] };
  databases: Record<DatabaseName, { url: string | null }>;
  embedded: boolean;
  /** There when the gateway did not tell of the instances, because no operator asked. */
  instances_hidden?: true;
}

/** Asks the system how it is, as `instancesHealth` does, and says where everything is. */
export async function statusDocument(options: {
  runtime: Runtime | undefined;
  config: Config;
  showSecrets: boolean;
}): Promise<StatusDocument> {
  const { runtime, config, showSecrets } = options;
  const health = await instancesHealth(runtime, config);
  const service = (name: 'orders' | 'payments') => {
    const fallback = (name === 'orders' ? config.ordersUrls : config.paymentsUrls)[0] ?? '';
    return {
      url: health[name][0]?.url ?? fallback,
      instances: health[name].map(({ pid, ready }) => ({ pid, ready })),
    };
  };
  const databases = runtime?.databases ?? config.databaseUrls;
  const shown = (name: DatabaseName) => {
    const database = databases[name];
    if (database === undefined) return { url: null };
    return { url: showSecrets ? database : redactUrl(database) };
  };
  return {
    gateway: { url: gatewayAccess(config).url, ready: health.gateway?.ready ?? false },
    orders: service('orders'),
    payments: service('payments'),
    databases: Object.fromEntries(
      databaseNames.map((name) => [name, shown(name)]),
    ) as StatusDocument['databases'],
    embedded: runtime?.embedded ?? false,
    ...(health.hidden ? { instances_hidden: true as const } : {}),
  };
}
