import type { Config } from '../../platform/config.ts';
import type { EmbeddedInspection } from '../../platform/embedded-postgres/inspection.ts';
import type { Logger } from '../../platform/logging.ts';
import type { Runtime } from '../../system/runtime-file.ts';

/** A process of a service, as the gateway or the process itself answers for it. */
interface InstanceState {
  pid: number | null;
  ready: boolean;
}

/** What answers now, where. */
export interface ServingState {
  gateway: { url: string; ready: boolean };
  orders: { instances: InstanceState[] };
  payments: { instances: InstanceState[] };
  /** Set when the gateway did not tell of the instances, because no operator asked. */
  instances_hidden?: true;
}

/** Everything that is known before the first check. */
export interface Surroundings {
  config: Config;
  /** What `tillbox up` left in this home, running or not. */
  runtime: Runtime | undefined;
  /** Whether the supervisor of that runs. */
  supervised: boolean;
  serving: ServingState;
  embedded: EmbeddedInspection;
  log: Logger;
}

/** Whether databases of the user's are named by the environment; the embedded server is then not used. */
export function usesOwnDatabases({ config }: Surroundings): boolean {
  return Object.values(config.databaseUrls).some((url) => url !== undefined);
}
