import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { anyPorts, runTillbox } from '../../support/running-system.ts';
import type { BenchServer } from '../bench-server.ts';
import type { Figure } from '../figures.ts';
import { percentile } from '../statistics.ts';

/** Starts of each command; the median counts, for the first one warms the disk cache. */
const repetitions = 5;

/** How long whole processes take: a system's second start, the version, a command against the gateway. */
export async function measureStarts(server: BenchServer): Promise<Figure[]> {
  const home = mkdtempSync(join(server.home, 'start-'));
  const timed = async (...args: string[]) => {
    const since = performance.now();
    const { code, stderr } = await runTillbox(args, { home, env: anyPorts });
    if (code !== 0) throw new Error(`tillbox ${args.join(' ')} ended with ${code}: ${stderr}`);
    return performance.now() - since;
  };
  const median = async (...args: string[]) => {
    const times: number[] = [];
    for (let index = 0; index < repetitions; index += 1) times.push(await timed(...args));
    return percentile(times, 0.5);
  };
  try {
    // The first one makes the data and the schemas.
    const first = await timed('up', '--detach');
    await timed('down');
    const second = await timed('up', '--detach');
    await timed('create-account', 'alice');
    return [
      { name: 'up --detach, first', value: first, unit: 'ms' },
      { name: 'up --detach, second', value: second, unit: 'ms', goal: '≤ 3,000' },
      { name: '--version', value: await median('--version'), unit: 'ms', goal: '≤ 100' },
      { name: 'balance alice', value: await median('balance', 'alice'), unit: 'ms', goal: '≤ 150' },
    ];
  } finally {
    await timed('down', '--wipe');
  }
}
