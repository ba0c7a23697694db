import { checkBroker } from './broker-checks.ts';
import { type ExaminedDatabase, reachDatabases } from './examined-databases.ts';
import { type Finding, failure, type Group, groups, type Level } from './finding.ts';
import { checkGateway } from './gateway-checks.ts';
import { checkHome } from './home-checks.ts';
import { checkMachine } from './machine-checks.ts';
import { checkMigrations } from './migration-checks.ts';
import { checkPorts } from './port-checks.ts';
import { checkPrivileges } from './privilege-checks.ts';
import { checkRetention } from './retention-checks.ts';
import { checkServers } from './server-checks.ts';
import type { Surroundings } from './surroundings.ts';

/** A finding, and which group of checks it belongs to. */
export interface GroupedFinding extends Finding {
  group: Group;
}

/** What `tillbox doctor --json` prints. */
export interface DoctorReport {
  /** Whether nothing failed; warnings do not count. */
  ok: boolean;
  counts: Record<Level, number>;
  /** In the order of `groups`. */
  checks: GroupedFinding[];
}

/**
 * Looks at everything tillbox depends on and changes nothing. A check that cannot be made is a failure with
 * the reason; the others go on. Never rejects.
 */
export async function examine(surroundings: Surroundings): Promise<DoctorReport> {
  const { databases, findings } = await reachDatabases(surroundings);
  try {
    const found: Record<Group, Finding[]> = {
      machine: await attempt('machine', () => checkMachine(surroundings)),
      home: await attempt('home', () => checkHome(surroundings)),
      ports: await attempt('ports', () => checkPorts(surroundings)),
      databases: [
        ...findings,
        ...(await attempt('servers', () => checkServers(databases, instancesOf(surroundings)))),
      ],
      migrations: await attempt('migrations', () => checkMigrations(databases)),
      privileges: await attempt('privileges', () => checkPrivileges(databases, surroundings.log)),
      queues: await attempt('queues', () => checkBroker(databases, surroundings)),
      retention: checkRetention(surroundings.config.retention),
      gateway: await attempt('gateway', () => checkGateway(surroundings)),
    };
    return reportOf(groups.flatMap((group) => found[group].map((finding) => ({ group, ...finding }))));
  } finally {
    await closeAll(databases);
  }
}

/** One check that goes wrong must not hide the others. */
async function attempt(check: string, work: () => Promise<Finding[]>): Promise<Finding[]> {
  try {
    return await work();
  } catch (error) {
    const detail = `This could not be looked at: ${(error as Error).message}.`;
    return [failure(check, detail, 'Deal with what failed before, then tillbox doctor again')];
  }
}

/** Those there are, or those a plain start would make. */
function instancesOf({ serving }: Surroundings) {
  return {
    orders: Math.max(1, serving.orders.instances.length),
    payments: Math.max(1, serving.payments.instances.length),
  };
}

function reportOf(checks: GroupedFinding[]): DoctorReport {
  const counts = { ok: 0, warning: 0, failure: 0 };
  for (const { level } of checks) counts[level] += 1;
  return { ok: counts.failure === 0, counts, checks };
}

async function closeAll(databases: readonly ExaminedDatabase[]): Promise<void> {
  await Promise.allSettled(databases.map(({ client }) => client.end()));
}
