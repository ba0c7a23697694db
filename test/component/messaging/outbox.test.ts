import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { Broker, type Publication } from '../../../src/messaging/broker/broker.ts';
import { type Instruments, noInstruments } from '../../../src/messaging/instruments.ts';
import { type Message, messageId, toCloudEvent } from '../../../src/messaging/messages.ts';
import { OutboxRelay } from '../../../src/messaging/outbox-relay.ts';
import { useDatabases } from '../../support/databases.ts';
import { deferred } from '../../support/deferred.ts';
import { silentLog } from '../../support/test-server.ts';

describe('messaging: outbox and relay', () => {
  const databases = useDatabases();

  beforeEach(() => databases.sql('orders', 'truncate orders.outbox'));

  function request(amount = 1n): Message {
    return { type: 'payment.requested.v1', orderId: randomUUID(), userId: 'alice', amount };
  }

  const add = (messages: Message[]) =>
    databases.orders.transaction((tx) => databases.ordersOutbox.add(tx, messages, []));

  async function waiting(): Promise<number> {
    const [row] = await databases.sql<{ messages: number }>(
      'orders',
      'select coalesce(sum(message_count), 0)::int as messages from orders.outbox',
    );
    return row?.messages ?? 0;
  }

  function relayTo(publish: Broker['publish'], instruments: Instruments = noInstruments): OutboxRelay {
    const { orders: database, ordersOutbox: outbox } = databases;
    return new OutboxRelay({ database, outbox, broker: { publish }, instruments, log: silentLog });
  }

  /** A broker that remembers. */
  function listeningBroker() {
    const published: Publication[] = [];
    const publish = async (publications: readonly Publication[]) => {
      published.push(...publications);
    };
    const ids = () =>
      published.flatMap(({ data }) => data.messages.map((message) => (message as { id: string }).id));
    return { published, publish, ids };
  }

  it('publishes what was written, in order, and is empty then', async () => {
    const messages = Array.from({ length: 250 }, () => request());
    await add(messages);
    const broker = listeningBroker();
    const relay = relayTo(broker.publish);
    expect(await relay.publishOnce()).to.deep.equal({ rows: 3, messages: 250 });
    expect(broker.published.map(({ data }) => data.messages.length)).to.deep.equal([100, 100, 50]);
    expect(broker.ids()).to.deep.equal(messages.map(({ orderId, type }) => messageId(orderId, type)));
    expect(await waiting()).to.equal(0);
    expect((await relay.publishOnce()).messages).to.equal(0);
  });

  it('publishes what it is told was just written once, and with it what else is there', async () => {
    const [told, untold] = [request(), request(2n)];
    await add([untold]);
    await add([told]);
    const broker = listeningBroker();
    expect(await relayTo(broker.publish).publishOnce([told])).to.deep.equal({ rows: 2, messages: 2 });
    const ids = [told, untold].map(({ orderId, type }) => messageId(orderId, type));
    expect(broker.ids()).to.have.members(ids);
    expect(broker.published).to.have.length(2);
    for (const { data } of broker.published) {
      expect(data.messages[0])
        .to.have.property('time')
        .that.matches(/^\d{4}-/);
    }
    expect(await waiting()).to.equal(0);
  });

  it('tells of each message when the call that published it was begun: its job is as old', async () => {
    const [told, untold] = [request(), request(2n)];
    await add([untold]);
    await add([told]);
    const begun: number[] = [];
    const slowly = async () => {
      begun.push(Date.now());
      // The next moment, at the latest, is another one.
      while (Date.now() - (begun.at(-1) as number) < 2);
    };
    const published: { messages: number; begunAt: number }[] = [];
    const instruments: Instruments = {
      ...noInstruments,
      published: (rows, begunAt) =>
        published.push({ messages: rows.flatMap(({ messages }) => messages).length, begunAt }),
    };
    await relayTo(slowly, instruments).publishOnce([told]);
    expect(published.map(({ messages }) => messages)).to.deep.equal([1, 1]);
    published.forEach(({ begunAt }, call) => {
      expect(begunAt).to.be.at.most(begun[call] as number);
    });
    expect(published[1]?.begunAt).to.be.above(published[0]?.begunAt as number);
  });

  it('publishes a message that has the id of one it was told of, and says something else', async () => {
    const told = request();
    const other = { ...told, amount: 2n };
    await add([told]);
    await add([other]);
    const broker = listeningBroker();
    await relayTo(broker.publish).publishOnce([told]);
    const amounts = broker.published.flatMap(({ data }) =>
      data.messages.map((message) => (message as { data: { amount: string } }).data.amount),
    );
    expect(amounts).to.deep.equal(['0.01', '0.02']);
  });

  it('leaves what it was told of in the outbox when the broker refuses it', async () => {
    const told = request();
    await add([told]);
    const away = relayTo(() => Promise.reject(new Error('the broker is away')));
    expect(await away.publishOnce([told]).catch((error: Error) => error.message)).to.equal(
      'the broker is away',
    );
    expect(await waiting()).to.equal(1);
  });

  it('does not bother the broker when there is nothing to publish', async () => {
    const relay = relayTo(() => Promise.reject(new Error('called')));
    expect((await relay.publishOnce()).messages).to.equal(0);
  });

  it('holds nothing of a transaction that was rolled back', async () => {
    const work = databases.orders.transaction(async (tx) => {
      await databases.ordersOutbox.add(tx, [request()], []);
      throw new Error('the business said no');
    });
    expect(await work.catch((error: Error) => error.message)).to.equal('the business said no');
    expect(await waiting()).to.equal(0);
  });

  it('shows nothing to a relay before the transaction commits', async () => {
    const broker = listeningBroker();
    await databases.orders.transaction(async (tx) => {
      await databases.ordersOutbox.add(tx, [request()], []);
      expect((await relayTo(broker.publish).publishOnce()).messages).to.equal(0);
    });
    expect((await relayTo(broker.publish).publishOnce()).messages).to.equal(1);
  });

  it('has its rows back when the transaction that took them is rolled back', async () => {
    await add([request(), request()]);
    await databases.orders
      .transaction(async (tx) => {
        const rows = await databases.ordersOutbox.take(tx, 10);
        databases.ordersOutbox.remove(tx, rows);
        expect(rows.flatMap(({ messages }) => messages)).to.have.length(2);
        throw new Error('killed');
      })
      .catch(() => {});
    expect(await waiting()).to.equal(2);
  });

  it('gives out the oldest rows, no more than asked for', async () => {
    for (const amount of [1n, 2n, 3n]) await add([request(amount)]);
    const rows = await databases.orders.transaction(async (tx) => {
      const taken = await databases.ordersOutbox.take(tx, 2);
      databases.ordersOutbox.remove(tx, taken);
      return taken;
    });
    const amounts = rows.map(({ messages }) => (messages[0] as { data: { amount: string } }).data.amount);
    expect(amounts).to.deep.equal(['0.01', '0.02']);
    expect(await waiting()).to.equal(1);
  });

  it('keeps its rows when publishing fails, and publishes them the next time', async () => {
    await add([request(), request()]);
    const failing = relayTo(() => Promise.reject(new Error('the broker is away')));
    expect(await failing.publishOnce().catch((error: Error) => error.message)).to.equal('the broker is away');
    expect(await waiting()).to.equal(2);
    const broker = listeningBroker();
    expect((await relayTo(broker.publish).publishOnce()).messages).to.equal(2);
    expect(broker.ids()).to.have.length(2);
  });

  it('publishes each row exactly once by two relays at the same time', async () => {
    const messages = Array.from({ length: 3_000 }, () => request());
    await add(messages);
    const broker = listeningBroker();
    const bothHaveTaken = deferred();
    let takers = 0;
    const relays = [1, 2].map(() =>
      relayTo(async (publications) => {
        takers += 1;
        if (takers === 2) bothHaveTaken.resolve();
        await bothHaveTaken.promise;
        await broker.publish(publications);
      }),
    );
    const counts = await Promise.all(relays.map((relay) => relay.publishOnce()));
    expect(counts.reduce((sum, { messages: count }) => sum + count, 0)).to.equal(3_000);
    expect(broker.ids()).to.have.members(messages.map(({ orderId, type }) => messageId(orderId, type)));
    expect(await waiting()).to.equal(0);
  });

  it('publishes a row again, as the same message, when the relay dies after publishing', async () => {
    const message = request();
    await add([message]);
    const broker = listeningBroker();
    const dying = relayTo(async (publications) => {
      await broker.publish(publications);
      throw new Error('killed before the commit');
    });
    await dying.publishOnce().catch(() => {});
    await relayTo(broker.publish).publishOnce();
    const id = messageId(message.orderId, message.type);
    expect(broker.ids()).to.deep.equal([id, id]);
  });

  it('publishes when poked, and lets the pass under way end when stopped', async () => {
    const publishing = deferred();
    const published = deferred();
    let done = false;
    const relay = relayTo(async () => {
      publishing.resolve();
      await published.promise;
    });
    relay.start();
    await add([request()]);
    relay.poke();
    await publishing.promise;
    const stopped = relay.stop().then(() => {
      done = true;
    });
    expect(done).to.equal(false);
    published.resolve();
    await stopped;
    expect(await waiting()).to.equal(0);
    await relay.stop();
  });

  it('carries a dead letter with its reason, alone, to the queue that keeps them', async () => {
    const event = toCloudEvent(request());
    const odd = [null, 5, 'text', [1], { ...event, type: 'payment.requested.v2' }];
    const deadLetters = odd.map((message) => ({
      reason: 'unknown-type' as const,
      detail: 'queue payment-results does not carry it',
      queue: 'payment-results' as const,
      jobId: randomUUID(),
      message,
    }));
    await databases.orders.transaction((tx) => databases.ordersOutbox.add(tx, [request()], deadLetters));
    const broker = listeningBroker();
    await relayTo(broker.publish).publishOnce();
    const letters = broker.published.filter(({ queue }) => queue === 'payment-results-dead-letters');
    expect(letters.map(({ data }) => data.messages)).to.deep.equal(odd.map((message) => [message]));
    expect(letters[0]?.data.dead_letter).to.include({
      reason: 'unknown-type',
      queue: 'payment-results',
      job_id: deadLetters[0]?.jobId,
    });
    expect(broker.published).to.have.length(odd.length + 1);
  });

  it('publishes what stands behind text that no job can keep: NUL, half a surrogate pair, nesting without end', async () => {
    const deep = `${'['.repeat(5_000)}${']'.repeat(5_000)}`;
    const odd = ['{"a": "x\\u0000y"}', '{"\\u0000": 1}', '{"a": "\\ud800"}', '{"a": "\\\\u0000"}', deep];
    for (const message of odd)
      await databases.sql(
        'orders',
        `insert into orders.outbox (queue, messages, message_count) values ('payment-requests', $1, 1)`,
        [`[${message}]`],
      );
    const good = request();
    await add([good]);
    const broker = new Broker({ url: databases.urls.broker, name: 'test', log: silentLog });
    await broker.start();
    try {
      await relayTo((publications) => broker.publish(publications)).publishOnce();
    } finally {
      await broker.stop();
    }
    expect(await waiting()).to.equal(0);
    const rows = await databases.sql<{ messages: { a?: string; id?: string }[] }>(
      'broker',
      `select data -> 'messages' as messages from broker.job where name = 'payment-requests'`,
    );
    const published = rows.flatMap(({ messages }) => messages);
    expect(published.map(({ a }) => a).slice(0, 4)).to.deep.equal([
      'x\ufffdy',
      undefined,
      '\ufffd',
      '\\u0000',
    ]);
    expect(published.at(-1)?.id).to.equal(messageId(good.orderId, good.type));
  });

  it('refuses a row for a queue that is not its own', async () => {
    const result: Message = { ...request(), type: 'payment.succeeded.v1' } as Message;
    const error = await add([result]).catch((reason) => reason);
    expect(error).to.have.property('code', '23514'); // check_violation
  });
});
