import { setTimeout as sleep } from 'node:timers/promises';
import type { Figure } from '../figures.ts';
import { cpuMicros, cpuSince, isUsageKnown } from '../process-usage.ts';
import type { SystemUnderTest } from '../system-under-test.ts';

/** After the start, and after a load, until everything has come to rest. */
const restMs = 3_000;

/** What a system costs that does nothing: the share of one core, by process and in all. */
export async function measureIdleCost(system: SystemUnderTest, seconds: number): Promise<Figure[]> {
  if (!isUsageKnown) return [];
  await sleep(restMs);
  const { processes } = system;
  const before = cpuMicros(processes);
  const since = performance.now();
  await sleep(seconds * 1_000);
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
