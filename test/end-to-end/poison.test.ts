import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { publishOnce } from '../../src/messaging/broker.ts';
import { toCloudEvent } from '../../src/messaging/messages.ts';
import { audit } from '../../src/tools/audit/audit.ts';
import { eventually } from '../support/eventually.ts';
import { useHarmedSystem } from '../support/harmed-system.ts';
import { expectRecovery, OrderLoad, tell, told } from '../support/order-load.ts';

/** The 499 beside a bad message. */
const good = 499;
const latencyMsMax = 1_000;

describe('faults: poison', () => {
  const system = useHarmedSystem();

  it('settles 499 good orders beside one bad message at normal latency, the bad one goes alone', async function () {
    this.timeout(60_000);
    const load = await new OrderLoad(system, { perSecond: 20 }).start();
    await sleep(300);
    const [existing] = await system.sql<{ id: string; user_id: string; amount: string }>(
      'orders',
      'select id, user_id, amount from orders.orders limit 1',
    );
    const amount = BigInt(existing?.amount ?? 0);
    const again = () =>
      toCloudEvent({
        type: 'payment.requested.v1',
        orderId: existing?.id ?? '',
        userId: existing?.user_id ?? '',
        amount,
      });
    const bad = { ...again(), type: 'payment.requested.v9', id: randomUUID() };
    const messages = [...Array.from({ length: good }, again), bad];
    const jobs = Array.from({ length: 5 }, (_, index) => ({
      queue: 'payment-requests',
      data: { messages: messages.slice(index * 100, index * 100 + 100) },
    }));
    await publishOnce(system.brokerUrl, jobs);
    await sleep(2_000);
    const letters = await eventually(async () => {
      const rows = await system.sql<{ data: { dead_letter: { reason: string } } }>(
        'broker',
        `select data from broker.job where name = 'payment-requests-dead-letters'`,
      );
      expect(rows).to.have.length(1);
      return rows;
    });
    expect(letters[0]?.data.dead_letter.reason).to.equal('unknown-type');
    const [slowest] = await system.sql<{ ms: string }>(
      'orders',
      'select max(extract(epoch from settled_at - created_at) * 1000) as ms from orders.orders',
    );
    expect(Number(slowest?.ms)).to.be.below(latencyMsMax);
    const { violations } = await audit(system.urls, { waitMs: 10_000 });
    expect(violations.map(({ invariant }) => invariant)).to.deep.equal(['dead-letters-acknowledged']);
    await system.sql('broker', `delete from broker.job where name = 'payment-requests-dead-letters'`);
    tell(
      this,
      `slowest order ${Math.round(Number(slowest?.ms))} ms; ${told(await expectRecovery(system, load))}`,
    );
  });
});
