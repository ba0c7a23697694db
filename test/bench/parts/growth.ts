import type { BenchServer } from '../bench-server.ts';
import type { Figure } from '../figures.ts';
import { seedSettledOrders } from '../seed.ts';
import { percentile } from '../statistics.ts';
import { SystemUnderTest } from '../system-under-test.ts';
import { measureReads } from './reads.ts';
import { driveAndSettle, type LoadSettings, measureIdle, settledPerSecond, warmUp } from './under-load.ts';

/** Long enough for more than a thousand orders, so that p99 is not one of a few. */
const idleSeconds = 60;
/** Of throughput, on either system in turn. */
const rounds = 3;

/** What a system of some size does. */
interface AtSize {
  perSecond: number;
  idle: Figure[];
  reads: Figure[];
}

/**
 * Throughput, idle latency and reads with many settled orders in the tables, beside the same with none. Both systems
 * run at once, each on a database of its own of one server: what else the machine and its disk do, they do to both.
 * Throughput is measured in turns, idle latency at the same time. Both are audited.
 */
export async function measureGrowth(
  server: BenchServer,
  { settled, accounts }: { settled: number; accounts: number },
  settings: LoadSettings,
  tell: (text: string) => void,
): Promise<Figure[]> {
  const started: SystemUnderTest[] = [];
  try {
    for (const orders of [0, settled]) {
      const system = await SystemUnderTest.start(server);
      started.push(system);
      tell(`growth: making ${orders.toLocaleString('en-US')} settled orders`);
      await seedSettledOrders(system.admin, { orders, accounts });
      await system.expectNothingLost();
    }
    tell('growth: measuring');
    const [empty, full] = await measureBoth(started, { ...settings, users: accounts });
    return [...named('empty', empty), ...named('full', full), ...fullToEmpty(empty, full)];
  } finally {
    for (const system of started) await system.stop();
  }
}

async function measureBoth(
  systems: readonly SystemUnderTest[],
  settings: LoadSettings,
): Promise<[empty: AtSize, full: AtSize]> {
  const { clients, users, seconds } = settings;
  for (const system of systems) await warmUp(system, settings);
  const rates = systems.map((): number[] => []);
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, system] of systems.entries()) {
      const load = { pace: { clients }, until: { seconds } };
      rates[index]?.push(settledPerSecond(await driveAndSettle(system, load, settings)));
    }
  }
  const idleLoad = { ...settings, seconds: Math.max(seconds, idleSeconds) };
  const idle = await Promise.all(systems.map((system) => measureIdle(system, idleLoad)));
  const measured: AtSize[] = [];
  for (const [index, system] of systems.entries()) {
    const reads = await measureReads(system, users);
    await system.expectNothingLost();
    measured.push({ perSecond: percentile(rates[index] ?? [], 0.5), idle: idle[index] ?? [], reads });
  }
  return measured as [AtSize, AtSize];
}

function named(size: string, { perSecond, idle, reads }: AtSize): Figure[] {
  const rate: Figure = { name: 'orders settled', value: perSecond, unit: '/s' };
  return [rate, ...idle, ...reads].map((figure) => ({ ...figure, name: `${size}: ${figure.name}` }));
}

function fullToEmpty(empty: AtSize, full: AtSize): Figure[] {
  const idle = full.idle.flatMap(({ name, value }): Figure[] => {
    const before = empty.idle.find((figure) => figure.name === name);
    if (before === undefined || !name.startsWith('settled')) return [];
    return [{ name: `full to empty: idle, ${name}`, value: value / before.value, unit: 'x', goal: '≤ 1.10' }];
  });
  const value = full.perSecond / empty.perSecond;
  return [{ name: 'full to empty: orders settled', value, unit: 'x', goal: '≥ 0.90' }, ...idle];
}
