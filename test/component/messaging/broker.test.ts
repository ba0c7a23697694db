import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { Broker, type Delivery, type JobData } from '../../../src/messaging/broker/broker.ts';
import { toCloudEvent } from '../../../src/messaging/messages.ts';
import { OutboxRelay } from '../../../src/messaging/outbox-relay.ts';
import { settleDeliveries } from '../../../src/orders/settle-orders.ts';
import { TcpLink } from '../../../src/tools/chaos/tcp-link.ts';
import { useDatabases } from '../../support/databases.ts';
import { type Deferred, deferred } from '../../support/deferred.ts';
import { eventually } from '../../support/eventually.ts';
import { silentLog } from '../../support/test-server.ts';

describe('messaging: broker', () => {
  const databases = useDatabases();
  const open: Broker[] = [];

  function broker(url = databases.urls.broker): Broker {
    const one = new Broker({ url, name: 'test', log: silentLog });
    open.push(one);
    return one;
  }

  async function started(): Promise<Broker> {
    const one = broker();
    await one.start();
    return one;
  }

  afterEach(async () => {
    await Promise.all(open.splice(0).map((one) => one.stop()));
    await databases.sql('broker', 'delete from broker.job');
  });

  function publication(...messages: unknown[]) {
    return { queue: 'payment-requests', data: { messages } };
  }

  /** A receiver that remembers, and tells of each batch. */
  async function receiver(one: Broker, handle: (deliveries: Delivery[]) => Promise<void> = async () => {}) {
    const batches: Delivery[][] = [];
    let next: Deferred<Delivery[]> = deferred();
    await one.receive('payment-requests', async (deliveries) => {
      batches.push(deliveries);
      next.resolve(deliveries);
      next = deferred();
      await handle(deliveries);
    });
    return { batches, next: () => next.promise };
  }

  async function jobs(queue: string): Promise<{ state: string; data: JobData }[]> {
    return databases.sql('broker', 'select state, data from broker.job where name = $1 order by created_on', [
      queue,
    ]);
  }

  async function untilCompleted(count: number): Promise<void> {
    await eventually(async () => {
      const states = (await jobs('payment-requests')).map(({ state }) => state);
      expect(states).to.deep.equal(Array.from({ length: count }, () => 'completed'));
    });
  }

  it('is as old as its youngest queue', async () => {
    const one = await started();
    const [youngest] = await databases.sql<{ ms: string }>(
      'broker',
      `select extract(epoch from now() - max(created_on)) * 1000 as ms from broker.queue`,
    );
    expect((await one.ageMs()) - Number(youngest?.ms)).to.be.within(-1_000, 60_000);
    const make = (name: string, ago: string) =>
      databases.sql(
        'broker',
        `update broker.queue set created_on = now() - interval '${ago}' where name like '${name}'`,
      );
    await make('%', '1 hour');
    expect(await one.ageMs()).to.be.within(3_600_000, 3_660_000);
    await make('payment-results', '10 minutes');
    expect(await one.ageMs()).to.be.within(600_000, 660_000);
  });

  it('hands over every message of every job, with the job it came in, and completes the jobs', async () => {
    const [sender, taker] = [await started(), await started()];
    await sender.publish([publication({ n: 1 }, { n: 2 }), publication({ n: 3 })]);
    const { batches } = await receiver(taker);
    await untilCompleted(2);
    const deliveries = batches.flat();
    expect(deliveries.map(({ message }) => message)).to.have.deep.members([{ n: 1 }, { n: 2 }, { n: 3 }]);
    expect(new Set(deliveries.map(({ jobId }) => jobId)).size).to.equal(2);
  });

  it('hands over a job that is no batch as one message', async () => {
    const one = await started();
    const odd: object[] = [{ type: 'mine' }, { messages: 'none' }, ['a', 'b']];
    await one.publish(odd.map((data) => ({ queue: 'payment-requests', data: data as JobData })));
    const { batches } = await receiver(one);
    await untilCompleted(3);
    expect(batches.flat().map(({ message }) => message)).to.have.deep.members(odd);
  });

  it('hands a batch over again when its handler threw', async () => {
    const one = await started();
    let failures = 0;
    const { batches } = await receiver(one, async () => {
      failures += 1;
      if (failures === 1) throw new Error('the database is away');
    });
    await one.publish([publication({ n: 1 }, { n: 2 })]);
    await untilCompleted(1);
    expect(batches).to.have.length(2);
    expect(batches[1]).to.deep.equal(batches[0]);
  });

  it('wakes a receiver in another process at once, long before it would look by itself', async () => {
    const [sender, taker] = [await started(), await started()];
    const { next } = await receiver(taker);
    // Looking by itself finds a job too, after a second at most: only ten in a row cannot all be luck.
    const waitedMs: number[] = [];
    for (let count = 0; count < 10; count += 1) {
      const batch = next();
      const publishedAt = performance.now();
      await sender.publish([publication({ n: count })]);
      await batch;
      waitedMs.push(performance.now() - publishedAt);
    }
    const median = waitedMs.toSorted((a, b) => a - b)[5];
    expect(median, waitedMs.map(Math.round).join(' ')).to.be.below(250);
  });

  it('publishes to several queues at once', async () => {
    const one = await started();
    await one.publish([publication({ n: 1 }), { queue: 'payment-results', data: { messages: [{ n: 2 }] } }]);
    expect(await jobs('payment-requests')).to.have.length(1);
    expect((await jobs('payment-results')).map(({ data }) => data)).to.deep.equal([{ messages: [{ n: 2 }] }]);
  });

  it('never makes a dead letter of a job because its handler fails', async () => {
    const rows = await databases.sql<{ name: string; retry_limit: number; dead_letter: string }>(
      'broker',
      'select name, retry_limit, dead_letter from broker.queue where dead_letter is not null order by name',
    );
    expect(rows).to.deep.equal([
      { name: 'payment-requests', retry_limit: 1_000_000, dead_letter: 'payment-requests-dead-letters' },
      { name: 'payment-results', retry_limit: 1_000_000, dead_letter: 'payment-results-dead-letters' },
    ]);
  });

  it('puts a message that can never be processed into the dead-letter queue, with the reason', async () => {
    const one = await started();
    const { orders: database, ordersOutbox: outbox } = databases;
    const orderId = randomUUID();
    const result = toCloudEvent({ type: 'payment.succeeded.v1', orderId, userId: 'alice', amount: 1n });
    await one.receive('payment-results', async (deliveries) => {
      await settleDeliveries(database, outbox, deliveries);
    });
    await one.publish([{ queue: 'payment-results', data: { messages: [result, 'nonsense'] } }]);
    await eventually(async () => {
      const rows = await databases.sql('orders', 'select from orders.outbox');
      expect(rows).to.have.length(2);
    });
    await new OutboxRelay({ database, outbox, broker: one, log: silentLog }).publishOnce();
    const letters = (await jobs('payment-results-dead-letters')).map(({ data }) => data);
    expect(letters.map(({ messages }) => messages)).to.have.deep.members([[result], ['nonsense']]);
    const letter = letters.find(({ messages }) => messages[0] !== 'nonsense')?.dead_letter;
    expect(letter).to.include({ reason: 'unknown-order', queue: 'payment-results' });
    expect(letter).to.have.property('detail').that.contains(orderId);
    expect(letter)
      .to.have.property('at')
      .that.matches(/^\d{4}-/);
  });

  it('starts when the broker is there, however often it was not', async () => {
    const nowhere = broker(databases.urls.broker.replace(/\/[^/]*$/, '/nowhere'));
    for (const _attempt of [1, 2]) {
      const error = await nowhere.start().catch((reason) => reason);
      expect(error).to.have.property('code', '3D000'); // invalid_catalog_name
    }
    // The role is that of all copies of the template: others use it meanwhile, on databases of their own.
    const role = new URL(databases.urls.broker).username;
    const name = new URL(databases.urls.broker).pathname.slice(1);
    await databases.sql('broker', `revoke connect on database "${name}" from public, "${role}"`);
    const later = broker();
    try {
      expect(await later.start().catch((reason) => reason)).to.have.property('code', '42501'); // insufficient_privilege
    } finally {
      await databases.sql('broker', `grant connect on database "${name}" to public, "${role}"`);
    }
    await later.start();
    const { next } = await receiver(later);
    const batch = next();
    await later.publish([publication({ n: 1 })]);
    expect(await batch).to.have.length(1);
  });

  it('stops before it was started, and twice', async () => {
    await broker().stop();
    const one = await started();
    await Promise.all([one.stop(), one.stop()]);
    await one.stop();
  });

  it('lets a handler end when it stops, and completes its job', async () => {
    const one = await started();
    const handling = deferred();
    const mayEnd = deferred();
    await one.receive('payment-requests', async () => {
      handling.resolve();
      await mayEnd.promise;
    });
    await one.publish([publication({ n: 1 })]);
    await handling.promise;
    const stopped = one.stop();
    mayEnd.resolve();
    await stopped;
    await untilCompleted(1);
  });

  it('stops within its bound although a handler never ends and the server does not answer any more', async () => {
    const url = new URL(databases.urls.broker);
    const link = new TcpLink({ host: url.hostname, port: Number(url.port) });
    url.port = String(await link.start());
    try {
      const one = broker(url.href);
      await one.start();
      const handling = deferred();
      await one.receive('payment-requests', () => {
        handling.resolve();
        return new Promise(() => {});
      });
      await one.publish([publication({ n: 1 })]);
      await handling.promise;
      link.set({ swallow: ['up', 'down'] });
      const before = performance.now();
      await one.stop();
      expect(performance.now() - before).to.be.below(6_000);
    } finally {
      await link.stop();
    }
  }).slow(12_000);
});
