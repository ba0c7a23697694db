import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { Broker, type Delivery } from '../../../src/messaging/broker/broker.ts';
import { toCloudEvent } from '../../../src/messaging/messages.ts';
import { OutboxRelay } from '../../../src/messaging/outbox-relay.ts';
import { receiveDeliveries } from '../../../src/payments/receive-requests.ts';
import { CodedError } from '../../../src/platform/errors.ts';
import { DeadLetters, type ListOptions } from '../../../src/tools/dead-letters.ts';
import { useDatabases } from '../../support/databases.ts';
import { eventually } from '../../support/eventually.ts';
import { StepByStep } from '../../support/step-by-step.ts';
import { SteppedQueues } from '../../support/stepped-queues.ts';
import { silentLog } from '../../support/test-server.ts';

describe('tools: dead letters', () => {
  const databases = useDatabases();
  const all: ListOptions = { queue: undefined, reason: undefined, discarded: false, limit: 50 };
  const who = 'eve@example';
  let letters: DeadLetters;
  let broker: Broker;
  let relay: OutboxRelay;

  before(async () => {
    letters = new DeadLetters({ url: databases.urls.broker, log: silentLog });
    broker = new Broker({ url: databases.urls.broker, name: 'payments', log: silentLog });
    await broker.start();
    const { payments: database, paymentsOutbox: outbox } = databases;
    relay = new OutboxRelay({ database, outbox, broker, log: silentLog });
  });
  after(() => Promise.all([letters?.close(), broker?.stop()]));
  beforeEach(() => databases.sql('broker', 'delete from broker.job'));

  /** Lets payments refuse these messages, as they come in one job, and publishes the dead letters. */
  async function refuse(messages: unknown[], jobId: string = randomUUID()): Promise<void> {
    const deliveries: Delivery[] = messages.map((message) => ({ message, jobId }));
    await receiveDeliveries(databases.payments, databases.paymentsOutbox, deliveries);
    await relay.publishOnce();
  }

  function unknownType(orderId: string = randomUUID()) {
    return { type: 'payment.requested.v9', subject: orderId };
  }

  async function listed(options: Partial<ListOptions> = {}) {
    return (await letters.list({ ...all, ...options })).dead_letters;
  }

  async function redrive(ids: string[]) {
    const { letters: selected } = await letters.select({ ids });
    return (await letters.handle(selected, { action: 'redriven', who })).map(({ outcome }) => outcome);
  }

  async function discard(ids: string[], why = 'a test') {
    const { letters: selected } = await letters.select({ ids });
    return (await letters.handle(selected, { action: 'discarded', who, why })).map(({ outcome }) => outcome);
  }

  function waitingRequests(): Promise<{ id: string; data: { messages: unknown[] } }[]> {
    return databases.sql('broker', `select id, data from broker.job where name = 'payment-requests'`);
  }

  /** Jobs as the audit counts them: dead letters nobody has dealt with. */
  async function unacknowledged(): Promise<number> {
    const [row] = await databases.sql<{ count: number }>(
      'broker',
      `select count(*)::int from broker.job where name like '%-dead-letters' and state in ('created', 'retry')`,
    );
    return row?.count ?? 0;
  }

  it('lists what was refused, oldest first, with reason, order and age', async () => {
    const orderId = randomUUID();
    const jobId = randomUUID();
    await refuse([unknownType(orderId)], jobId);
    await refuse([{ ...toCloudEvent(request()), id: randomUUID() }]);
    const [first, second] = await listed();
    expect(first).to.deep.include({
      state: 'waiting',
      queue: 'payment-requests',
      reason: 'unknown-type',
      order_id: orderId,
      messages: 1,
      redriven_from: null,
      redriven: null,
      discarded: null,
    });
    expect(first?.detail).to.contain('payment.requested.v9');
    expect(first?.age_s).to.be.within(0, 30);
    expect(second?.reason).to.equal('invalid-message');
    const shown = await letters.show(first?.id ?? '');
    expect(shown).to.deep.include({ job_id: jobId, messages: [unknownType(orderId)], gave_up: null });
  });

  it('lists by queue, by reason and up to a limit, and says when there are more', async () => {
    await refuse([unknownType(), unknownType(), { ...toCloudEvent(request()), subject: 'x' }]);
    expect(await listed({ reason: 'invalid-message' })).to.have.length(1);
    expect(await listed({ queue: 'payment-results' })).to.have.length(0);
    expect(await listed({ queue: 'payment-requests' })).to.have.length(3);
    expect((await letters.list({ ...all, limit: 2 })).more).to.equal(true);
    expect((await letters.list({ ...all, limit: 3 })).more).to.equal(false);
  });

  it('lists whatever else a dead-letter queue may hold', async () => {
    const garbage = [null, 5, 'text', [], {}, { messages: 'none' }, { messages: [], dead_letter: 7 }];
    const letter = { messages: [null], dead_letter: { reason: 5, detail: {}, job_id: 'no uuid' } };
    for (const data of [...garbage, letter]) {
      await databases.sql(
        'broker',
        `insert into broker.job (name, data) values ('payment-requests-dead-letters', $1::jsonb)`,
        [JSON.stringify(data)],
      );
    }
    const found = await listed();
    expect(found).to.have.length(8);
    for (const { id } of found) expect((await letters.show(id)).state).to.equal('waiting');
    expect(new Set(await redrive(found.map(({ id }) => id)))).to.deep.equal(new Set(['redriven']));
  });

  it('redrives one letter alone: the message is back in its queue, the letter acknowledged', async () => {
    const [message, other] = [unknownType(), unknownType()];
    await refuse([message, other]);
    const [first] = await listed();
    expect(await redrive([first?.id ?? ''])).to.deep.equal(['redriven']);
    const jobs = await waitingRequests();
    expect(jobs.map(({ id, data }) => ({ id, messages: data.messages }))).to.deep.equal([
      { id: first?.id, messages: [first?.order_id === message.subject ? message : other] },
    ]);
    expect(await listed()).to.have.length(1);
    expect(await unacknowledged()).to.equal(1);
    expect(await letters.show(first?.id ?? '')).to.have.nested.property('redriven.who', who);
  });

  it('redrives a letter once, however often and by however many it is asked to', async () => {
    await refuse([unknownType()]);
    const ids = (await listed()).map(({ id }) => id);
    const outcomes = await Promise.all([redrive(ids), redrive(ids), redrive(ids), redrive([...ids, ...ids])]);
    expect(outcomes.flat().sort()).to.deep.equal([
      'already-redriven',
      'already-redriven',
      'already-redriven',
      'redriven',
    ]);
    expect(await waitingRequests()).to.have.length(1);
  });

  it('charges once for a request in two letters, redriven twice each, before it is paid and after', async () => {
    const services = await StepByStep.open(databases.adminUrls);
    const queues = new SteppedQueues(databases, services);
    try {
      await services.user('alice', 100_00n);
      const [orderId = ''] = await services.create('alice', 40_00n);
      await services.publish('orders');
      // Given up by the broker, and refused by a version that did not know it: the queue has it no more.
      for (const reason of ['broker-gave-up', 'unknown-type']) {
        await databases.sql(
          'broker',
          `insert into broker.job (name, data) select name || '-dead-letters',
             data || jsonb_build_object('dead_letter', jsonb_build_object('reason', $1::text))
             from broker.job where name = 'payment-requests'`,
          [reason],
        );
      }
      await databases.sql('broker', `delete from broker.job where name = 'payment-requests'`);
      const [first = '', second = ''] = (await listed()).map(({ id }) => id);
      const payAll = async () => {
        await queues.deliver('payment-requests');
        await services.process();
        await services.publish('payments');
        await queues.deliver('payment-results');
      };
      expect(await redrive([first, first])).to.deep.equal(['redriven']);
      expect(await redrive([first])).to.deep.equal(['already-redriven']);
      await payAll();
      expect(await redrive([first, second])).to.deep.equal(['already-redriven', 'redriven']);
      expect(await redrive([first, second])).to.deep.equal(['already-redriven', 'already-redriven']);
      await payAll();

      const debits = await databases.sql(
        'payments',
        'select amount, balance from payments.entries where order_id = $1',
        [orderId],
      );
      expect(debits).to.deep.equal([{ amount: '-4000', balance: '6000' }]);
      const [order] = await databases.sql('orders', 'select status from orders.orders where id = $1', [
        orderId,
      ]);
      expect(order).to.deep.equal({ status: 'FINISHED' });
      expect(await listed()).to.deep.equal([]);
    } finally {
      await services.close();
    }
  });

  it('names the letter a redriven message was in when it is refused again', async () => {
    const message = unknownType();
    await refuse([message]);
    const [first] = await listed();
    await redrive([first?.id ?? '']);
    const [job] = await waitingRequests();
    await refuse(job?.data.messages ?? [], job?.id);
    const again = await listed();
    expect(again.map(({ redriven_from, order_id }) => ({ redriven_from, order_id }))).to.deep.equal([
      { redriven_from: first?.id, order_id: message.subject },
    ]);
  });

  it('redrives a batch that pg-boss itself gave up, whole', async () => {
    const batch = { messages: [unknownType(), unknownType()] };
    await databases.sql(
      'broker',
      `insert into broker.job (name, data, source_name, source_id, source_retry_count, source_output)
       values ('payment-results-dead-letters', $1::jsonb, 'payment-results', gen_random_uuid(), 7, '{"message": "no"}')`,
      [JSON.stringify(batch)],
    );
    const [letter] = await listed({ reason: 'broker-gave-up' });
    expect(letter).to.deep.include({ queue: 'payment-results', order_id: null, messages: 2 });
    expect(letter?.detail).to.equal('the broker gave the job up after 7 retries: no');
    expect(await redrive([letter?.id ?? ''])).to.deep.equal(['redriven']);
    const rows = await databases.sql('broker', `select data from broker.job where name = 'payment-results'`);
    expect(rows).to.deep.equal([{ data: batch }]);
  });

  it('discards a letter, remembers who and why, and counts it as acknowledged', async () => {
    await refuse([unknownType()]);
    const ids = (await listed()).map(({ id }) => id);
    expect(await discard(ids, 'a supplier tried version 9')).to.deep.equal(['discarded']);
    expect(await discard(ids, 'another reason')).to.deep.equal(['already-discarded']);
    expect(await redrive(ids)).to.deep.equal(['already-discarded']);
    expect(await unacknowledged()).to.equal(0);
    expect(await listed()).to.deep.equal([]);
    const [letter] = await listed({ discarded: true });
    expect(letter?.discarded).to.deep.include({ who, why: 'a supplier tried version 9' });
    const [job] = await databases.sql<{ years: number }>(
      'broker',
      'select (deletion_seconds / 31536000)::int as years from broker.job where id = $1',
      ids,
    );
    expect(job?.years).to.equal(10);
  });

  it('selects all, by reason or by queue, without doing anything', async () => {
    await refuse([unknownType(), { ...toCloudEvent(request()), subject: 'x' }]);
    expect((await letters.select({})).letters).to.have.length(2);
    const { letters: selected } = await letters.select({ reason: 'unknown-type' });
    expect(selected.map(({ outcome, reason }) => ({ outcome, reason }))).to.deep.equal([
      { outcome: 'ready', reason: 'unknown-type' },
    ]);
    expect(await unacknowledged()).to.equal(2);
  });

  it('deals with more letters than one transaction takes', async () => {
    await databases.sql(
      'broker',
      `insert into broker.job (name, data)
       select 'payment-requests-dead-letters', jsonb_build_object('messages', jsonb_build_array(i))
         from generate_series(1, 450) i`,
    );
    const { letters: selected } = await letters.select({});
    const dealt = await letters.handle(selected, { action: 'redriven', who });
    expect(dealt.filter(({ outcome }) => outcome === 'redriven')).to.have.length(450);
    expect(await waitingRequests()).to.have.length(450);
  });

  it('says which ids are not there', async () => {
    expect(await redrive([randomUUID()])).to.deep.equal(['not-found']);
    const error = await letters.show(randomUUID()).catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(CodedError).with.property('exitCode', 5);
  });

  it('brings a redriven message to its receiver, which takes it for what it is', async () => {
    const event = toCloudEvent(request());
    await databases.sql(
      'broker',
      `insert into broker.job (name, data) values ('payment-requests-dead-letters', $1::jsonb)`,
      [
        JSON.stringify({
          messages: [event],
          dead_letter: { reason: 'unknown-type', queue: 'payment-requests' },
        }),
      ],
    );
    await redrive((await listed()).map(({ id }) => id));
    const receiver = new Broker({ url: databases.urls.broker, name: 'payments', log: silentLog });
    try {
      await receiver.start();
      await receiver.receive('payment-requests', async (deliveries) => {
        await receiveDeliveries(databases.payments, databases.paymentsOutbox, deliveries);
      });
      await eventually(async () => {
        const rows = await databases.sql('payments', 'select from payments.inbox where order_id = $1', [
          event.subject,
        ]);
        expect(rows).to.have.length(1);
      });
    } finally {
      await receiver.stop();
    }
  });

  function request() {
    return { type: 'payment.requested.v1', orderId: randomUUID(), userId: 'u', amount: 1n } as const;
  }
});
