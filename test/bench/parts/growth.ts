import type { BenchServer } from '../bench-server.ts';
import type { Figure } from '../figures.ts';
import { seedSettledOrders } from '../seed.ts';
import { SystemUnderTest } from '../system-under-test.ts';
import { measureReads } from './reads.ts';
import { driveAndSettle, type LoadSettings, measureIdle, settledPerSecond, warmUp } from './under-load.ts';

/** Long enough for hundreds of orders, so that p99 is not one of two. */
const idleSeconds = 30;

/** What a system of some size does. */
interface AtSize {
  perSecond: number;
  idle: Figure[];
  reads: Figure[];
}

/**
 * Throughput, idle latency and reads with many settled orders in the tables, beside the same with none: both
 * on a system of their own, one right after the other, and audited.
 */
export async function measureGrowth(
  server: BenchServer,
  { settled, accounts }: { settled: number; accounts: number },
  settings: LoadSettings,
  tell: (text: string) => void,
): Promise<Figure[]> {
  const empty = await measureAt(server, { orders: 0, accounts }, settings, tell);
  const full = await measureAt(server, { orders: settled, accounts }, settings, tell);
  const named = (size: string, { perSecond, idle, reads }: AtSize): Figure[] =>
    [{ name: 'orders settled', value: perSecond, unit: '/s' } as Figure, ...idle, ...reads].map((figure) => ({
      ...figure,
      name: `${size}: ${figure.name}`,
    }));
  const idleRatios = full.idle.flatMap(({ name, value }): Figure[] => {
    const before = empty.idle.find((figure) => figure.name === name);
    if (before === undefined || !name.startsWith('settled')) return [];
    return [{ name: `full to empty: idle, ${name}`, value: value / before.value, unit: 'x', goal: '≤ 1.10' }];
  });
  return [
    ...named('empty', empty),
    ...named('full', full),
    {
      name: 'full to empty: orders settled',
      value: full.perSecond / empty.perSecond,
      unit: 'x',
      goal: '≥ 0.90',
    },
    ...idleRatios,
  ];
}

async function measureAt(
  server: BenchServer,
  size: { orders: number; accounts: number },
  { clients, seconds }: LoadSettings,
  tell: (text: string) => void,
): Promise<AtSize> {
  const settings = { clients, users: size.accounts, seconds };
  const system = await SystemUnderTest.start(server);
  try {
    tell(`growth: making ${size.orders.toLocaleString('en-US')} settled orders`);
    await seedSettledOrders(system.admin, size);
    await system.expectNothingLost();
    tell('growth: measuring');
    await warmUp(system, settings);
    const load = { pace: { clients }, until: { seconds } };
    const perSecond = settledPerSecond(await driveAndSettle(system, load, settings));
    const idle = await measureIdle(system, { ...settings, seconds: Math.max(seconds, idleSeconds) });
    const reads = await measureReads(system, size.accounts);
    await system.expectNothingLost();
    return { perSecond, idle, reads };
  } finally {
    await system.stop();
  }
}
