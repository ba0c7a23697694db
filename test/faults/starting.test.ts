import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { seededRandom } from '../../src/tools/random.ts';
import { HarmedSystem, type HarmedSystemSettings, useHarmedSystem } from '../support/harmed-system.ts';
import { expectRecovery, OrderLoad, tell, told } from '../support/order-load.ts';

/** Orders of starting that a seed picks: with the named ones, eight in all. */
const seeds = [1, 2, 3, 4, 5];
/** Every start comes within this. */
const spreadMs = 4_000;

const eight = { orders: 8, payments: 8, gateway: 8 };

describe('faults: everything started at once', () => {
  const systems: HarmedSystem[] = [];
  const make = (settings: HarmedSystemSettings) => {
    const system = new HarmedSystem(settings);
    systems.push(system);
    return system;
  };
  afterEach(async function () {
    this.timeout(90_000);
    if (this.currentTest?.state === 'failed') console.error(this.currentTest.err?.message.slice(0, 1_000));
    for (const system of systems.splice(0)) await system.stop();
  });

  type Thing = 'migrate' | 'gateway' | 'orders' | 'payments';
  /** When a thing is started, in milliseconds; asked once for each process. */
  type Delay = (thing: Thing) => number;
  const fixed =
    (delays: Record<Thing, number>): Delay =>
    (thing) =>
      delays[thing];
  const orderings: { what: string; delay: Delay }[] = [
    { what: 'all at the same moment', delay: fixed({ migrate: 0, gateway: 0, orders: 0, payments: 0 }) },
    {
      what: 'daemons before the migration',
      delay: fixed({ migrate: 3_000, gateway: 0, orders: 0, payments: 500 }),
    },
    {
      what: 'payments first, orders last',
      delay: fixed({ migrate: 500, gateway: 1_500, orders: 2_500, payments: 0 }),
    },
    ...seeds.map((seed) => {
      const random = seededRandom(seed);
      return { what: `in an order of its own, seed ${seed}`, delay: () => random.between(0, spreadMs) };
    }),
  ];
  for (const { what, delay } of orderings) {
    it(`becomes ready with eight of each on empty databases, ${what}`, async function () {
      this.timeout(180_000);
      const system = make({ instances: eight });
      await system.startServers();
      await system.makeDaemons({ migrated: false });
      const since = performance.now();
      const migrations = Array.from({ length: 8 }, () => delay('migrate'));
      await Promise.all([
        ...migrations.map((ms) => sleep(ms).then(() => system.migrate())),
        ...system.daemons.map((daemon) => sleep(delay(daemon.service)).then(() => daemon.start())),
      ]);
      await system.untilReady({ withinMs: 120_000 });
      const readyAfterMs = Math.round(performance.now() - since);
      const load = await new OrderLoad(system, { perSecond: 50 }).start();
      await sleep(3_000);
      tell(this, `ready after ${readyAfterMs} ms; ${told(await expectRecovery(system, load))}`);
    });
  }
});

describe('faults: rolling restarts', () => {
  const system = useHarmedSystem({ instances: { orders: 2, payments: 2, gateway: 2 } });

  it('restarts each daemon ten times under load without an order refused for good', async function () {
    this.timeout(400_000);
    const load = await new OrderLoad(system, { perSecond: 30 }).start();
    const ends: { name: string; code: number | null; ms: number }[] = [];
    const failures: Record<string, Set<string>> = {
      orders: new Set(),
      payments: new Set(),
      gateway: new Set(),
    };
    for (let round = 1; round <= 10; round += 1) {
      for (const daemon of system.daemons) {
        const before = load.refusals.length;
        ends.push({ name: daemon.name, ...(await daemon.stop()) });
        daemon.start();
        while (!(await daemon.isReady())) await sleep(20);
        for (const { status, code } of load.refusals.slice(before)) {
          if (status !== 503) failures[daemon.service]?.add(`${status} ${code}`);
        }
      }
    }
    const recovery = await expectRecovery(system, load);
    expect(ends.filter(({ code, ms }) => code !== 0 || ms > 10_000)).to.deep.equal([]);
    // Only a gateway that is away itself answers nothing; of the others clients hear 503 at most.
    expect([...(failures['orders'] ?? []), ...(failures['payments'] ?? [])]).to.deep.equal([]);
    expect([...(failures['gateway'] ?? [])].filter((failure) => !failure.startsWith('0 '))).to.deep.equal([]);
    const statuses = new Set(load.refusals.map(({ status, code }) => `${status} ${code}`));
    tell(
      this,
      `slowest stop ${Math.max(...ends.map(({ ms }) => ms))} ms; ${[...statuses].join(', ')}; ${told(recovery)}`,
    );
  });
});
