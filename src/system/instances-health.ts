import type { Config } from '../platform/config.ts';
import { gatewayAccess } from './gateway-access.ts';
import { type Health, healthOf } from './health.ts';
import { trustOnly } from './pinned-certificate.ts';
import type { Runtime } from './runtime-file.ts';

/** A daemon as it says itself, or as the gateway says of it. */
export interface InstanceHealth {
  url: string;
  pid: number | null;
  ready: boolean;
  /** Whether it was asked itself and gave no answer: it hangs, is stopped, or is away. */
  silent: boolean;
}

/** How everything that serves is; `gateway` is undefined when it gave no answer. */
export interface InstancesHealth {
  gateway: Health | undefined;
  orders: InstanceHealth[];
  payments: InstanceHealth[];
  /** Whether there may be others: the gateway tells an operator alone which there are, and none asked. */
  hidden: boolean;
}

/**
 * Asks the system how it is. With a runtime file every process is asked by itself; without one the gateway
 * is asked for all it knows.
 */
export async function instancesHealth(
  runtime: Runtime | undefined,
  config: Config,
): Promise<InstancesHealth> {
  const { url, token, certificate } = gatewayAccess(config);
  const asking = healthOf(url, token, certificate === undefined ? undefined : trustOnly(certificate));
  const of = async (name: 'orders' | 'payments'): Promise<InstanceHealth[]> => {
    const started = runtime?.[name];
    if (started === undefined) {
      return ((await asking)?.[name] ?? []).map((instance) => ({ ...instance, silent: false }));
    }
    return Promise.all(
      started.map(async ({ url: own, pid }) => {
        const answer = await healthOf(own);
        const silent = answer === undefined;
        return { url: own, pid: answer?.pid ?? pid, ready: answer?.ready ?? false, silent };
      }),
    );
  };
  const [gateway, orders, payments] = await Promise.all([asking, of('orders'), of('payments')]);
  const hidden = runtime === undefined && gateway !== undefined && gateway.orders === undefined;
  return { gateway, orders, payments, hidden };
}
