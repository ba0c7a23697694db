import type pg from 'pg';
import type { BenchServer } from '../bench-server.ts';
import { programs } from '../comparison/programs.ts';
import { RunningProgram } from '../comparison/running-program.ts';
import type { Figure } from '../figures.ts';
import { drive, type Load } from '../load.ts';
import {
  databaseNow,
  type OrderPlace,
  orderTimes,
  programOrders,
  tillboxOrders,
  untilSettled,
} from '../order-times.ts';
import { cpuMicros, cpuSince, type Watched } from '../process-usage.ts';
import { seedAccounts, seededUser } from '../seed.ts';
import { SystemUnderTest } from '../system-under-test.ts';

/** How long settling is waited for after the last order was accepted: the slowest have done a few by then. */
const settleMsMax = 20_000;
/** At an idle pace whoever keeps up is done at once. */
const idleSettleMsMax = 3_000;
/** Enough to have code compiled, statements prepared and pools filled. */
const warmUpOrders = 500;
const warmUpClients = 32;
const slowMsMin = 1_500;
const idlePerSecond = 20;
/** For what cannot keep up with that: an order at a time, and enough time for it. */
const slowPerSecond = 0.2;
const slowOrders = 4;

/** Something that takes orders, tillbox or a program. */
interface Contestant {
  url: string;
  admin: pg.Client;
  orders: OrderPlace;
  processes: readonly Watched[];
  findLoss(): Promise<string | undefined>;
  stop(): Promise<void>;
}

/** What is to be measured, and is started anew for each measurement. */
interface Entrant {
  title: string;
  lacks?: string;
  start(): Promise<Contestant>;
}

/** How every contestant is loaded. */
export interface CompareSettings {
  clients: number;
  users: number;
  seconds: number;
  orders: number;
}

/** What one contestant did. */
export interface Compared {
  title: string;
  figures: Figure[];
  notes: string[];
}

/**
 * The same flow, load and server settings for tillbox and for each program: so many orders at full speed over
 * many accounts and over one, and an idle system. Every measurement is on a fresh database.
 * @param tps of pgbench in the same run
 */
export async function compare(
  server: BenchServer,
  settings: CompareSettings,
  context: { tps: number | undefined; tell: (text: string) => void },
): Promise<Compared[]> {
  const { users } = settings;
  const entrants: Entrant[] = [
    { title: 'tillbox', start: () => startTillbox(server, users) },
    ...Object.entries(programs).map(([name, { title, lacks }]) => ({
      title,
      lacks,
      start: () => startProgram(server, name, users),
    })),
  ];
  const compared: Compared[] = [];
  for (const entrant of entrants) {
    context.tell(`compare: ${entrant.title}`);
    compared.push(await measure(entrant, settings, context.tps));
  }
  return compared;
}

async function startTillbox(server: BenchServer, users: number): Promise<Contestant> {
  const system = await SystemUnderTest.start(server);
  await seedAccounts(system.admin, users);
  const { url, admin, processes } = system;
  const findLoss = async () => {
    await system.expectNothingLost();
    return undefined;
  };
  return { url, admin, processes, orders: tillboxOrders, findLoss, stop: () => system.stop() };
}

async function startProgram(server: BenchServer, name: string, users: number): Promise<Contestant> {
  const program = await RunningProgram.start(server, name, users);
  const { url, admin, processes } = program;
  return {
    ...{ url, admin, processes, orders: programOrders },
    findLoss: () => program.findLoss(users),
    stop: () => program.stop(),
  };
}

async function measure(
  { title, lacks, start }: Entrant,
  { clients, users, seconds, orders }: CompareSettings,
  tps: number | undefined,
): Promise<Compared> {
  const notes = lacks === undefined ? [] : [lacks];
  const once = async (load: Omit<Load, 'url' | 'user'>, ofUsers: number) => {
    const contestant = await start();
    try {
      return await driveOnce(contestant, load, ofUsers, notes);
    } finally {
      await contestant.stop();
    }
  };
  const busy = { pace: { clients }, until: { orders } };
  const many = await once(busy, users);
  const hot = await once(busy, 1);
  let idle = await once({ pace: { perSecond: idlePerSecond }, until: { seconds } }, users);
  if (idle.settled < idle.orders) {
    notes.push(`latency of an order at a time: it does not keep up with ${idlePerSecond} a second`);
    idle = await once({ pace: { perSecond: slowPerSecond }, until: { orders: slowOrders } }, users);
  }
  const figures = [
    { name: 'orders/s', value: many.settled / many.seconds, unit: '/s' },
    { name: 'to pgbench', value: many.settled / many.seconds / (tps ?? Number.NaN), unit: 'x' },
    { name: 'one hot account', value: hot.settled / hot.seconds, unit: '/s' },
    { name: 'idle p50', value: idle.p50, unit: 'ms' },
    { name: 'idle p99', value: idle.p99, unit: 'ms' },
    // Of orders that never came to an end there is no price.
    {
      name: 'CPU an order',
      value: many.settled === many.orders ? many.cpuMicros / many.settled : Number.NaN,
      unit: 'µs',
    },
  ].map((figure) => ({ ...figure, headline: true }) as Figure);
  return { title, figures, notes: [...new Set(notes)].map((note) => `${title}: ${note}.`) };
}

const isIdle = ({ pace }: Pick<Load, 'pace'>) => 'perSecond' in pace && pace.perSecond === idlePerSecond;

async function driveOnce(
  { url, admin, orders, processes, findLoss }: Contestant,
  load: Omit<Load, 'url' | 'user'>,
  users: number,
  notes: string[],
) {
  const user = () => seededUser(Math.floor(Math.random() * users));
  const first = performance.now();
  await drive({ url, user, pace: { clients: 1 }, until: { orders: 1 } });
  await untilSettled(admin, orders, settleMsMax);
  // What polls once in seconds would still be at its warming up when it is measured.
  if (performance.now() - first < slowMsMin) {
    await drive({ url, user, pace: { clients: warmUpClients }, until: { orders: warmUpOrders } });
    await untilSettled(admin, orders, settleMsMax);
  }
  const since = await databaseNow(admin);
  const before = cpuMicros(processes);
  const { accepted, errors } = await drive({ ...load, url, user });
  await untilSettled(admin, orders, isIdle(load) ? idleSettleMsMax : settleMsMax);
  const spent = [...cpuSince(before, processes).values()];
  const cpu = spent.length === 0 ? Number.NaN : spent.reduce((sum, micros) => sum + micros, 0);
  const times = await orderTimes(admin, orders, since);
  if (errors > 0) notes.push(`${errors} requests were refused`);
  if (times.orders < accepted) notes.push(`${accepted - times.orders} orders were lost`);
  const loss = await findLoss();
  if (loss !== undefined) notes.push(loss);
  return { ...times, cpuMicros: cpu };
}
