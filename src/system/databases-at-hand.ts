import { type Config, databaseNames, givenDatabaseUrls } from '../platform/config.ts';
import { isRunning } from '../platform/process-identity.ts';
import type { DatabaseUrls } from './migrate.ts';
import { ownerOfLock } from './process-lock.ts';
import { readRuntime } from './runtime-file.ts';

/**
 * The administrator URLs of the databases that the environment names, else those of the system that runs here;
 * undefined when there are none. Starts nothing.
 */
export function databasesAtHand(config: Config): DatabaseUrls | undefined {
  const given = givenDatabaseUrls(config, databaseNames);
  if (given !== undefined) return given;
  const runtime = readRuntime(config.home);
  return runtime !== undefined && isRunning(ownerOfLock(config.home)) ? runtime.databases : undefined;
}
