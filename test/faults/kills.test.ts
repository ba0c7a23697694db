import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { eventually } from '../support/eventually.ts';
import { useHarmedSystem } from '../support/harmed-system.ts';
import { expectRecovery, OrderLoad, tell, told } from '../support/order-load.ts';

const services = ['orders', 'payments', 'gateway'] as const;
const kills = 20;
/** A daemon that was killed does something again within this, on a machine that is busy with other things too. */
const worksWithinMs = 30_000;
/** Longer than a lease, which is not held for the gateway, but which its clients wait for. */
const pausedMs = 14_000;

describe('faults: kill -9, twenty times in a row', () => {
  const system = useHarmedSystem();

  /** How much each has done for its clients so far. */
  const done = {
    orders: () => system.count('orders', 'select count(*) from orders.orders'),
    payments: () => system.count('payments', 'select count(*) from payments.decisions'),
    gateway: async (load: OrderLoad) => load.acknowledged.size,
  };
  /** Resolves in the middle of a daemon's work: it has begun, and the clients go on. */
  async function atWork(service: (typeof services)[number], load: OrderLoad): Promise<void> {
    const before = await done[service](load);
    await eventually(async () => expect(await done[service](load)).to.be.above(before), {
      withinMs: worksWithinMs,
    });
  }

  for (const service of services) {
    it(`loses and repeats nothing when ${service} is killed again and again at its work`, async function () {
      this.timeout(400_000);
      const load = await new OrderLoad(system).start();
      const daemon = system.first(service);
      for (let kill = 1; kill <= kills; kill += 1) {
        await atWork(service, load);
        await daemon.stop('SIGKILL');
        daemon.start();
      }
      await system.untilReady({ withinMs: 120_000 });
      const healedAt = performance.now();
      tell(this, told(await expectRecovery(system, load, { healedAt })));
    });
  }

  it('loses and repeats nothing when all of them are killed at the same moment', async function () {
    this.timeout(200_000);
    const load = await new OrderLoad(system).start();
    await Promise.all(services.map((service) => atWork(service, load)));
    await Promise.all(system.daemons.map((daemon) => daemon.stop('SIGKILL')));
    for (const daemon of system.daemons) daemon.start();
    await system.untilReady({ withinMs: 120_000 });
    const healedAt = performance.now();
    tell(this, told(await expectRecovery(system, load, { healedAt })));
  });
});

describe('faults: a gateway paused', () => {
  const system = useHarmedSystem({ instances: { gateway: 2 } });

  it('loses and repeats nothing, and clients get on with the other one', async function () {
    this.timeout(200_000);
    const load = await new OrderLoad(system, { perSecond: 30 }).start();
    await sleep(500);
    process.kill(system.first('gateway').pid, 'SIGSTOP');
    await sleep(pausedMs);
    system.first('gateway').resume();
    const healedAt = performance.now();
    tell(this, told(await expectRecovery(system, load, { healedAt })));
  });
});
