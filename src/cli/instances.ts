import { CodedError } from '../platform/errors.ts';

/** How many processes of each service. */
export interface Instances {
  orders: number;
  payments: number;
}

const instancesMax = 8;

/** Reads `--instances orders=2 payments=3`; a service not named runs once. Throws `usage`. */
export function readInstances(specifications: readonly string[] = []): Instances {
  const instances: Instances = { orders: 1, payments: 1 };
  for (const specification of specifications.flatMap((text) => text.split(','))) {
    const [, service, count] = /^(orders|payments)=(\d+)$/.exec(specification) ?? [];
    if (service === undefined || Number(count) < 1 || Number(count) > instancesMax) {
      const detail = `--instances takes orders=N and payments=N with N from 1 to ${instancesMax}, not "${specification}".`;
      throw new CodedError('usage', detail);
    }
    instances[service as keyof Instances] = Number(count);
  }
  return instances;
}
