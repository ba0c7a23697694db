import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { databaseNames } from '../../src/platform/config.ts';
import type { Direction } from '../../src/tools/chaos/tcp-link.ts';
import { useHarmedSystem } from '../support/harmed-system.ts';
import { expectRecovery, OrderLoad, tell, told } from '../support/order-load.ts';
import { Probe, unacceptable } from '../support/probe.ts';

const ways: { what: string; swallow: Direction[] }[] = [
  { what: 'requests', swallow: ['up'] },
  { what: 'answers', swallow: ['down'] },
  { what: 'everything', swallow: ['up', 'down'] },
];
/** A client knows in under 3 s that something is away. */
const answerMsMax = 3_000;

describe('faults: a black hole', () => {
  const system = useHarmedSystem();

  for (const seconds of [5, 60]) {
    for (const link of databaseNames) {
      for (const { what, swallow } of ways) {
        it(`recovers from a link to ${link} that swallows ${what} for ${seconds} s`, async function () {
          this.timeout((seconds + 120) * 1_000);
          const load = await new OrderLoad(system, { perSecond: 20 }).start();
          await sleep(500);
          const probe = new Probe(system.first('gateway').url);
          system.links[link].set({ swallow });
          await sleep(seconds * 1_000);
          system.links[link].heal();
          const healedAt = performance.now();
          const answers = await probe.stop();
          expect(unacceptable(answers, answerMsMax)).to.deep.equal([]);
          tell(this, told(await expectRecovery(system, load, { healedAt })));
        });
      }
    }
  }
});
