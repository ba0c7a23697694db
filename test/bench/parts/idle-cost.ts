import { setTimeout as sleep } from 'node:timers/promises';
import type { Figure } from '../figures.ts';
import { cpuMicros, cpuSince, isUsageKnown } from '../process-usage.ts';
import type { SystemUnderTest } from '../system-under-test.ts';

/** Of the seconds of a load: until everything has come to rest after the start, and again as long, for what is done seldom. */
const restShare = 2.5;

/** What a system costs that does nothing: the share of one core, by process and in all. */
export async function measureIdleCost(system: SystemUnderTest, seconds: number): Promise<Figure[]> {
  if (!isUsageKnown) return [];
  const restMs = restShare * seconds * 1_000;
  await sleep(restMs);
  const { processes } = system;
  const before = cpuMicros(processes);
  const since = performance.now();
  await sleep(restMs);
  const elapsedMicros = (performance.now() - since) * 1_000;
  const shares = [...cpuSince(before, processes)].map(
    ([name, micros]) => [name, (100 * micros) / elapsedMicros] as const,
  );
  const sum = shares.reduce((total, [, share]) => total + share, 0);
  return [
    { name: 'CPU, all', value: sum, unit: '%', goal: '< 2' },
    ...shares.map(([name, value]): Figure => ({ name: `CPU, ${name}`, value, unit: '%' })),
  ];
}
