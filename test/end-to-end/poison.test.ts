import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { v7 as uuidV7 } from 'uuid';
import { publishOnce } from '../../src/messaging/broker/stored-jobs.ts';
import { type CloudEvent, toCloudEvent } from '../../src/messaging/messages.ts';
import { audit } from '../../src/tools/audit/audit.ts';
import { eventually } from '../support/eventually.ts';
import { useHarmedSystem } from '../support/harmed-system.ts';
import { expectRecovery, OrderLoad, tell, told } from '../support/order-load.ts';
import { Probe, unacceptable } from '../support/probe.ts';

/** The 499 beside a bad message, in jobs of a hundred. */
const good = 499;
const jobSize = 100;
/** Beyond what as many take without a bad one. */
const latencyMsMax = 1_000;

/** What a queue may hold instead of a request. Postgres itself refuses a NUL in a job; for an outbox see its component test. */
function garbage(event: CloudEvent): unknown[] {
  const { data, ...withoutData } = event;
  return [
    { ...event, type: 'payment.requested.v9' },
    { ...event, type: 'payment.succeeded.v1' },
    { ...event, type: { nested: true } },
    { ...event, specversion: '2.0' },
    { ...event, id: randomUUID() },
    { ...event, subject: randomUUID() },
    withoutData,
    { ...event, data: null },
    { ...event, data: { ...data, amount: 12 } },
    { ...event, data: { ...data, amount: '-1.00' } },
    { ...event, data: { ...data, amount: '1e3' } },
    { ...event, data: { ...data, amount: '99999999999999999999.00' } },
    { ...event, data: { ...data, user_id: 'a user' } },
    { ...event, data: { ...data, user_id: ['x'] } },
    { ...event, data: { ...data, order_id: 'none' } },
    {},
    [],
    [[event]],
    null,
    true,
    7,
    'text',
    '',
  ];
}

describe('faults: poison', () => {
  const system = useHarmedSystem();

  afterEach(() => system.sql('broker', `delete from broker.job where name like '%-dead-letters'`));

  /** Orders whose requests nobody has sent yet; answers the requests. */
  async function makeOrders(count: number): Promise<CloudEvent[]> {
    const events = Array.from({ length: count }, () =>
      toCloudEvent({ type: 'payment.requested.v1', orderId: uuidV7(), userId: 'nobody-good', amount: 1n }),
    );
    await system.sql(
      'orders',
      `insert into orders.orders (id, user_id, amount) select id, 'nobody-good', 1 from unnest($1::uuid[]) as id`,
      [events.map(({ subject }) => subject)],
    );
    return events;
  }

  /** Publishes messages in jobs, as a relay would; answers the milliseconds to the settlement of the last of the orders. */
  async function slowestOf(orders: CloudEvent[], messages: unknown[]): Promise<number> {
    const ids = orders.map(({ subject }) => subject);
    const jobs = Array.from({ length: Math.ceil(messages.length / jobSize) }, (_, index) => ({
      queue: 'payment-requests',
      data: { messages: messages.slice(index * jobSize, (index + 1) * jobSize) },
    }));
    // The one request that would be sent again by the sweep comes after 25 s: these are settled by the jobs.
    await system.sql('orders', 'update orders.orders set created_at = now() where id = any($1)', [ids]);
    await publishOnce(system.brokerUrl, jobs);
    return eventually(async () => {
      const [row] = await system.sql<{ settled: string; ms: string }>(
        'orders',
        `select count(settled_at) as settled, max(extract(epoch from settled_at - created_at) * 1000) as ms
           from orders.orders where id = any($1)`,
        [ids],
      );
      expect(Number(row?.settled)).to.equal(ids.length);
      return Math.round(Number(row?.ms));
    });
  }

  /** Dead letters, once there are so many. */
  const letters = (queue: string, count: number) =>
    eventually(
      async () => {
        const rows = await system.sql<{ reason: string; messages: number }>(
          'broker',
          `select data -> 'dead_letter' ->> 'reason' as reason, jsonb_array_length(data -> 'messages') as messages
             from broker.job where name = $1`,
          [`${queue}-dead-letters`],
        );
        expect(rows).to.have.length(count);
        return rows;
      },
      { withinMs: 15_000, everyMs: 100 },
    );

  it('settles 499 good orders beside one bad message at normal latency, the bad one goes alone', async function () {
    this.timeout(60_000);
    const load = await new OrderLoad(system, { perSecond: 20 }).start();
    const usual = await makeOrders(good);
    const usualMs = await slowestOf(usual, usual);
    const events = await makeOrders(good);
    const bad = { ...(events[0] as CloudEvent), type: 'payment.requested.v9', id: randomUUID() };
    // Says how slow this machine is meanwhile.
    const probe = new Probe(system.first('gateway').url, { onlyControl: true });
    const at = performance.now();
    const ms = await slowestOf(events, [...events.slice(0, 250), bad, ...events.slice(250)]);
    const alive = await probe.stop();
    const last = { what: 'the slowest of the 499', status: 200, at, ms };
    expect(unacceptable([...alive, last], usualMs + latencyMsMax)).to.deep.equal([]);
    // Normal is the first delivery: no job came back, and none of the 499 waited for another.
    const again = await system.sql(
      'broker',
      `select id, retry_count from broker.job where name = 'payment-requests' and retry_count > 0`,
    );
    expect(again).to.deep.equal([]);
    const deliveries = await system.sql(
      'payments',
      'select deliveries, count(*)::int from payments.inbox where message_id::text = any($1) group by 1',
      [events.map(({ id }) => id)],
    );
    expect(deliveries).to.deep.equal([{ deliveries: 1, count: good }]);
    expect(await letters('payment-requests', 1)).to.deep.equal([{ reason: 'unknown-type', messages: 1 }]);
    const { violations } = await audit(system.urls, { waitMs: 10_000 });
    expect(violations.map(({ invariant }) => invariant)).to.deep.equal(['dead-letters-acknowledged']);
    await system.sql('broker', `delete from broker.job where name = 'payment-requests-dead-letters'`);
    tell(
      this,
      `slowest of the 499 ${ms} ms, without the bad one ${usualMs} ms; ${told(await expectRecovery(system, load))}`,
    );
  });

  for (const queue of ['payment-requests', 'payment-results'] as const) {
    it(`keeps all kinds of garbage from ${queue} as dead letters, one each`, async function () {
      this.timeout(60_000);
      const load = await new OrderLoad(system, { perSecond: 20 }).start();
      const [event] = await makeOrders(1);
      const messages = garbage(event as CloudEvent);
      await publishOnce(system.brokerUrl, [
        { queue, data: { messages } },
        // No batch at all.
        { queue, data: { rows: 1 } as never },
        { queue, data: { messages: {} } as never },
      ]);
      const found = await letters(queue, messages.length + 2);
      expect(new Set(found.map(({ reason }) => reason))).to.have.keys(['unknown-type', 'invalid-message']);
      await publishOnce(system.brokerUrl, [{ queue: 'payment-requests', data: { messages: [event] } }]);
      await system.sql('broker', `delete from broker.job where name like '%-dead-letters'`);
      tell(this, told(await expectRecovery(system, load)));
    });
  }

  it('keeps garbage in the outboxes as dead letters too, and publishes what is beside it', async function () {
    this.timeout(60_000);
    const load = await new OrderLoad(system, { perSecond: 20 }).start();
    const [event] = await makeOrders(1);
    const wrong = garbage(event as CloudEvent);
    const insert = (schema: 'orders' | 'payments', queue: string) =>
      system.sql(
        schema,
        `insert into ${schema}.outbox (queue, messages, message_count) values ($1, $2, $3)`,
        [queue, JSON.stringify([...wrong, event]), wrong.length + 1],
      );
    await insert('orders', 'payment-requests');
    await insert('payments', 'payment-results');
    await letters('payment-requests', wrong.length);
    // A request is garbage among results.
    await letters('payment-results', wrong.length + 1);
    await system.sql('broker', `delete from broker.job where name like '%-dead-letters'`);
    tell(this, told(await expectRecovery(system, load)));
  });
});
