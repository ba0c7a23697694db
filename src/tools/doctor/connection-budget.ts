import { brokerConnectionsMax, serviceConnectionsMax } from '../../messaging/connections.ts';
import type { DatabaseName } from '../../platform/config.ts';
import { type Finding, failure, ok, warning } from './finding.ts';

/** For the audit, queues, migrations and the like, beside the daemons. */
const toolConnections = 6;
/** Above this share of what is free, another instance or program no longer fits. */
const comfortableShare = 0.8;

/** How many instances of each service there are, or will be. */
export interface RequiredConnections {
  orders: number;
  payments: number;
}

/** Whether all connections that the daemons may open at once find room on their server. */
export function checkConnectionBudget(
  label: string,
  server: { max_connections: number; reserved_connections: number; others: number },
  names: readonly DatabaseName[],
  instances: RequiredConnections,
): Finding {
  const perDatabase: Record<DatabaseName, number> = {
    orders: instances.orders * serviceConnectionsMax,
    payments: instances.payments * serviceConnectionsMax,
    broker: (instances.orders + instances.payments) * brokerConnectionsMax,
  };
  const needed = toolConnections + names.reduce((sum, name) => sum + perDatabase[name], 0);
  const { max_connections: max, reserved_connections: reserved, others } = server;
  const free = max - reserved - others;
  const check = `connections${label}`;
  const detail = `Daemons and tools need up to ${needed} of ${free} (max_connections ${max}, ${reserved} reserved, ${others} taken by other programs).`;
  const remedy = `alter system set max_connections = ${max + 2 * needed}; then restart Postgres; or run fewer instances`;
  if (needed > free) return failure(check, detail, remedy);
  return needed > free * comfortableShare ? warning(check, detail, remedy) : ok(check, detail);
}
