import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import type { DatabaseName } from '../../src/platform/config.ts';
import { eventually } from '../support/eventually.ts';
import { useHarmedSystem } from '../support/harmed-system.ts';
import { expectRecovery, OrderLoad, tell, told } from '../support/order-load.ts';

/** Each statement whose answer is lost: it takes effect, and the daemon is not told. */
const answers: { what: string; link: DatabaseName; text: string; after?: string }[] = [
  { what: 'the insert of orders', link: 'orders', text: 'orders_insert' },
  { what: 'the COMMIT of the orders relay', link: 'orders', text: 'commit', after: 'orders_outbox_take' },
  { what: 'a settlement', link: 'orders', text: 'orders_settle' },
  { what: 'the insert of requests into the broker', link: 'broker', text: 'payment.requested.v1' },
  { what: 'the insert of results into the broker', link: 'broker', text: 'payment.succeeded.v1' },
  { what: 'a fetch of requests', link: 'broker', text: 'WITH next AS' },
  { what: 'a completion', link: 'broker', text: 'WITH results AS ( UPDATE' },
  { what: 'what goes into the inbox', link: 'payments', text: 'inbox_receive' },
  { what: 'the COMMIT of decisions', link: 'payments', text: 'commit', after: 'decisions_insert' },
  {
    what: 'the COMMIT of the payments relay',
    link: 'payments',
    text: 'commit',
    after: 'payments_outbox_take',
  },
];

describe('faults: a lost answer', () => {
  const system = useHarmedSystem();

  for (const { what, link, text, after } of answers) {
    it(`loses and repeats nothing when the answer to ${what} is lost`, async function () {
      this.timeout(90_000);
      const load = await new OrderLoad(system).start();
      let struck = false;
      void system.links[link].loseAnswerTo(text, after === undefined ? {} : { after }).then(() => {
        struck = true;
      });
      await eventually(() => expect(struck).to.equal(true));
      await sleep(500);
      tell(this, told(await expectRecovery(system, load)));
    });
  }
});
