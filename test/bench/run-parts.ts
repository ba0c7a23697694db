import type { BenchServer } from './bench-server.ts';
import type { Figure, Figures } from './figures.ts';
import type { BenchOptions, Part } from './options.ts';
import { measureBacklog } from './parts/backlog.ts';
import { compare } from './parts/compare.ts';
import { measureGrowth } from './parts/growth.ts';
import { measureIdleCost } from './parts/idle-cost.ts';
import { pgbench } from './parts/pgbench.ts';
import { measureSoak } from './parts/soak.ts';
import { measureStarts } from './parts/start.ts';
import { measureTelemetry } from './parts/telemetry.ts';
import {
  measureHotAccount,
  measureIdle,
  measureStatements,
  measureSteady,
  measureThroughput,
  warmUp,
} from './parts/under-load.ts';
import { comparedPart } from './report.ts';
import { seedAccounts } from './seed.ts';
import { LossError, SystemUnderTest } from './system-under-test.ts';

/** What the parts tell while they run. */
export interface Listener {
  figures: Figures;
  /** Progress. */
  tell(text: string): void;
  /** Something the reader should know, once. */
  note(text: string): void;
  /** Something was lost or doubled. */
  fail(text: string): void;
}

/** Parts that need a system of the run. */
const partsOfSystem: readonly Part[] = ['throughput', 'hot', 'idle', 'half', 'statements', 'rest'];

/** Does all that was asked for: what belongs to a run as often as there are runs, the rest once. */
export async function runParts(
  server: BenchServer,
  options: BenchOptions,
  listener: Listener,
): Promise<void> {
  const { parts, runs } = options;
  const { figures, tell } = listener;
  for (let run = 1; run <= runs; run += 1) {
    const ofRun = { ...listener, tell: (text: string) => tell(`run ${run} of ${runs}: ${text}`) };
    await runOnce(server, options, ofRun);
  }
  const once = async (part: Part, measure: () => Promise<Figure[]>) => {
    if (!parts.has(part)) return;
    tell(part);
    await guarded(part, listener, async () => figures.add(part, await measure()));
  };
  await once('start', () => measureStarts(server));
  await once('growth', () => measureGrowth(server, options, options, tell));
  await once('backlog', () => measureBacklog(server, options.backlog, options, tell));
  await once('soak', () => measureSoak(server, options.soakSeconds, options, tell));
  await once('telemetry', () => measureTelemetry(server, options.telemetryRounds, options, tell));
}

async function runOnce(server: BenchServer, options: BenchOptions, listener: Listener): Promise<void> {
  const { parts } = options;
  const tps = parts.has('pgbench') ? await runPgbench(server, options, listener) : undefined;
  if (partsOfSystem.some((part) => parts.has(part))) await measureSystem(server, options, listener, tps);
  if (parts.has('compare')) await runComparison(server, options, listener, tps);
}

async function runPgbench(server: BenchServer, { seconds }: BenchOptions, { figures, tell, note }: Listener) {
  tell('pgbench');
  const tps = await pgbench(server, seconds);
  if (tps === undefined) note('pgbench is not on this machine, so there is no ratio to it.');
  else
    figures.add('pgbench', [
      { name: 'pgbench -N -M prepared -c 32 -j 2', value: tps, unit: '/s', headline: true },
    ]);
  return tps;
}

/** The parts of one run, one after another on a fresh system; after each, nothing may be lost. */
async function measureSystem(
  server: BenchServer,
  options: BenchOptions,
  listener: Listener,
  tps: number | undefined,
): Promise<void> {
  const { parts, seconds } = options;
  const { figures, tell } = listener;
  const system = await SystemUnderTest.start(server);
  try {
    await seedAccounts(system.admin, options.users);
    const part = async (name: Part, measure: () => Promise<Figure[]>) => {
      if (!parts.has(name)) return;
      tell(name);
      await guarded(name, listener, async () => {
        figures.add(name, await measure());
        await system.expectNothingLost();
      });
    };
    await part('rest', () => measureIdleCost(system, seconds));
    await guarded('warming up', listener, () => warmUp(system, options));
    let perSecond: number | undefined;
    const most = async () => {
      const measured = await measureThroughput(system, options);
      perSecond = measured.perSecond;
      return measured.figures;
    };
    await part('throughput', async () => {
      const [rate, ...rest] = await most();
      const ratio: Figure = {
        name: 'to pgbench',
        value: (perSecond ?? 0) / (tps ?? Number.NaN),
        unit: 'x',
        goal: '≥ 1.00',
      };
      return rate === undefined ? [] : [rate, ratio, ...rest];
    });
    await part('hot', () => measureHotAccount(system, options, perSecond));
    await part('idle', () => measureIdle(system, options));
    await part('half', async () => {
      if (perSecond === undefined) await most();
      return measureSteady(system, options, { perSecond: (perSecond ?? 0) / 2, goals: { p99: '≤ 100' } });
    });
    await part('statements', () => measureStatements(system, options));
  } finally {
    await system.stop();
  }
}

async function runComparison(
  server: BenchServer,
  { clients, users, seconds, compareOrders: orders }: BenchOptions,
  listener: Listener,
  tps: number | undefined,
): Promise<void> {
  const { figures, tell, note } = listener;
  await guarded('compare', listener, async () => {
    for (const { title, figures: found, notes } of await compare(
      server,
      { clients, users, seconds, orders },
      { tps, tell },
    )) {
      figures.add(`${comparedPart}${title}`, found);
      notes.forEach(note);
    }
  });
}

/** Does `work`; what it found lost or doubled is told, and everything else goes on. */
async function guarded(part: string, { fail }: Listener, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof LossError)) throw error;
    fail(`${part}: ${error.message}`);
  }
}
