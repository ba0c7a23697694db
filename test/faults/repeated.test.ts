import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import type { Publication } from '../../src/messaging/broker/broker.ts';
import { publishOnce } from '../../src/messaging/broker/stored-jobs.ts';
import { type Message, toCloudEvent } from '../../src/messaging/messages.ts';
import { audit } from '../../src/tools/audit/audit.ts';
import { eventually } from '../support/eventually.ts';
import { useHarmedSystem } from '../support/harmed-system.ts';
import { expectRecovery, OrderLoad, tell, told } from '../support/order-load.ts';

/** Publishers at the same moment, and how often each sends everything. */
const publishers = 5;
const timesEach = 10;
const messagesMax = 50;

interface StoredOrder {
  id: string;
  user_id: string;
  amount: string;
  status: 'NEW' | 'FINISHED' | 'CANCELED';
  reason: 'INSUFFICIENT_FUNDS' | 'ACCOUNT_NOT_FOUND' | null;
}

const factsOf = ({ id, user_id, amount }: StoredOrder) => ({
  orderId: id,
  userId: user_id,
  amount: BigInt(amount),
});
const requestOf = (order: StoredOrder): Message => ({ type: 'payment.requested.v1', ...factsOf(order) });
const resultOf = (order: StoredOrder, paid: boolean): Message =>
  paid
    ? { type: 'payment.succeeded.v1', ...factsOf(order) }
    : { type: 'payment.failed.v1', ...factsOf(order), reason: order.reason ?? 'INSUFFICIENT_FUNDS' };

/** A job for each message: every copy has a job id of its own. */
function jobsOf(queue: string, messages: readonly Message[]): Publication[] {
  return messages.map((message) => ({ queue, data: { messages: [toCloudEvent(message)] } }));
}

describe('faults: messages again, late, contrary and about nothing', () => {
  const system = useHarmedSystem({ instances: { orders: 2, payments: 2 } });

  const everything = async () => ({
    orders: await system.sql(
      'orders',
      'select id, status, reason, settled_at from orders.orders order by id',
    ),
    accounts: await system.sql('payments', 'select user_id, balance from payments.accounts order by user_id'),
    entries: await system.sql('payments', 'select * from payments.entries order by user_id, seq'),
    decisions: await system.sql('payments', 'select * from payments.decisions order by order_id'),
  });
  const someOrders = (where: string) =>
    system.sql<StoredOrder>(
      'orders',
      `select id, user_id, amount, status, reason from orders.orders where ${where} order by created_at desc limit ${messagesMax}`,
    );
  const publish = (jobs: readonly Publication[]) => publishOnce(system.brokerUrl, jobs);

  it('charges and settles once when the same messages come fifty times, under new jobs, in parallel', async function () {
    this.timeout(120_000);
    const load = await new OrderLoad(system).start();
    await sleep(1_000);
    // Those that are NEW now race with their first delivery.
    const requests = (await someOrders('true')).map(requestOf);
    const results = (await someOrders(`status <> 'NEW'`)).map((order) =>
      resultOf(order, order.status === 'FINISHED'),
    );
    const jobs = [...jobsOf('payment-requests', requests), ...jobsOf('payment-results', results)];
    const publishAll = async () => {
      for (let time = 0; time < timesEach; time += 1) await publish(jobs);
    };
    await Promise.all(Array.from({ length: publishers }, publishAll));
    tell(this, `${jobs.length * publishers * timesEach} jobs; ${told(await expectRecovery(system, load))}`);
  });

  it('changes nothing when they come late, contrary or about nothing, and the audit names what is contrary', async function () {
    this.timeout(120_000);
    const load = await new OrderLoad(system).start();
    await sleep(1_000);
    await expectRecovery(system, load);
    const before = await everything();
    const finished = (await someOrders(`status = 'FINISHED'`)).slice(0, 5);
    const canceled = (await someOrders(`status = 'CANCELED'`)).slice(0, 5);
    const known = [...finished, ...canceled];
    expect(known).to.have.length(10);
    const nobody: StoredOrder = { ...(finished[0] as StoredOrder), id: randomUUID() };
    const contrary = known.map((order) => resultOf(order, order.status !== 'FINISHED'));
    const dearer = known.map((order) => requestOf({ ...order, amount: String(BigInt(order.amount) + 1n) }));
    await publish([
      ...jobsOf('payment-requests', known.map(requestOf)),
      ...jobsOf(
        'payment-results',
        known.map((order) => resultOf(order, order.status === 'FINISHED')),
      ),
      ...jobsOf('payment-results', [...contrary, resultOf(nobody, true)]),
      ...jobsOf('payment-requests', dearer),
    ]);
    const contradictions = [...known, ...known, nobody].map(({ id }) => id).sort();
    await eventually(
      async () => {
        const { violations } = await audit(system.urls);
        const named = violations.filter(({ invariant }) => invariant === 'no-contradiction');
        expect(named.map(({ id }) => id).sort()).to.deep.equal(contradictions);
        expect(violations).to.have.length(named.length);
      },
      { withinMs: 20_000, everyMs: 200 },
    );
    expect(await everything()).to.deep.equal(before);
    await system.sql('broker', `delete from broker.job where name like '%-dead-letters'`);
    expect((await audit(system.urls, { waitMs: 20_000 })).violations).to.deep.equal([]);
  });
});
