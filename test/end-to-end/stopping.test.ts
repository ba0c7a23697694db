import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import type { DatabaseName } from '../../src/platform/config.ts';
import { useHarmedSystem } from '../support/harmed-system.ts';
import { expectRecovery, OrderLoad, tell, told } from '../support/order-load.ts';

/** What is promised of a daemon that is told to end. */
const stopMsMax = 10_000;

describe('faults: SIGTERM during a black hole', () => {
  const system = useHarmedSystem();
  const holes: { service: 'orders' | 'payments'; links: DatabaseName[] }[] = [
    { service: 'orders', links: ['orders', 'broker'] },
    { service: 'payments', links: ['payments', 'broker'] },
  ];

  for (const { service, links } of holes) {
    it(`ends ${service} with 0 within 10 s although its databases hang`, async function () {
      this.timeout(90_000);
      const load = await new OrderLoad(system).start();
      await sleep(300);
      for (const link of links) system.links[link].set({ swallow: ['up', 'down'] });
      await sleep(700);
      const daemon = system.first(service);
      const { code, ms } = await daemon.stop();
      for (const link of links) system.links[link].heal();
      daemon.start();
      const recovery = await expectRecovery(system, load);
      expect({ code, inTime: ms < stopMsMax }).to.deep.equal({ code: 0, inTime: true });
      tell(this, `ended after ${ms} ms; ${told(recovery)}`);
    });
  }
});
