import { expect } from 'chai';
import { v7 as uuidV7 } from 'uuid';
import { MeteredInstruments, noInstruments } from '../../../src/messaging/instruments.ts';
import { type Message, toCloudEvent } from '../../../src/messaging/messages.ts';
import { Metered } from '../../support/metered.ts';

describe('messaging: instruments', () => {
  let metered: Metered;
  let instruments: MeteredInstruments;

  beforeEach(() => {
    metered = new Metered();
    instruments = new MeteredInstruments(metered.meter);
  });
  afterEach(() => metered.close());

  const facts = (orderId: string) => ({ orderId, userId: 'anna', amount: 100n });
  const delivery = (message: Message, publishedAt = new Date()) => ({
    message: toCloudEvent(message),
    jobId: 'job',
    publishedAt,
  });
  const succeeded = (orderId: string) =>
    delivery({ type: 'payment.succeeded.v1', ...facts(orderId) }, new Date(Date.now() - 2_000));
  const failed = (orderId: string) =>
    delivery({ type: 'payment.failed.v1', reason: 'INSUFFICIENT_FUNDS', ...facts(orderId) });

  it('begin at zero: Prometheus sees no increase in a series that appears with its first event', async () => {
    instruments.startAtZero('orders');
    expect(await metered.read('tillbox.orders.accepted')).to.deep.equal({ '': 0 });
    expect(await metered.read('tillbox.orders.swept')).to.deep.equal({ '': 0 });
    expect(await metered.read('tillbox.orders.settled')).to.deep.equal({
      FINISHED: 0,
      'CANCELED ACCOUNT_NOT_FOUND': 0,
      'CANCELED INSUFFICIENT_FUNDS': 0,
    });
    instruments.startAtZero('payments');
    expect(await metered.read('tillbox.messages.duplicates')).to.deep.equal({
      'payment-results': 0,
      'payment-requests': 0,
    });
    expect(await metered.read('tillbox.messages.dead_letters')).to.include({
      'payment-results contradicts-order': 0,
      'payment-requests contradicts-decision': 0,
    });
  });

  it('count orders accepted, each with the time of its statement', async () => {
    instruments.created(3, 0.5);
    instruments.created(0, 9);
    expect(await metered.read('tillbox.orders.accepted')).to.deep.equal({ '': 3 });
    expect(await metered.read('tillbox.step.duration')).to.deep.equal({ 'created 1': 3 });
    expect(await metered.sum('tillbox.step.duration', { step: 'created' })).to.equal(1.5);
  });

  it('time every message of a published row as the step its queue stands for, and no dead letter', async () => {
    const row = { seq: 1n, dead_letter: null, created_at: new Date(Date.now() - 4_000) };
    instruments.published([
      { ...row, queue: 'payment-requests', messages: [1, 2, 3] },
      { ...row, queue: 'payment-results', messages: [4] },
      { ...row, queue: 'payment-results-dead-letters', messages: [5], dead_letter: {} },
    ]);
    expect(await metered.read('tillbox.step.duration')).to.deep.equal({ 'published 2': 3, 'published 5': 1 });
    expect(await metered.sum('tillbox.step.duration', { number: 5 })).to.be.within(4, 60);
  });

  it('count duplicates by queue and dead letters by reason', async () => {
    const letter = { detail: '', queue: 'payment-requests', jobId: '', message: {} } as const;
    const deadLetters = [
      { ...letter, reason: 'unknown-type' as const },
      { ...letter, reason: 'unknown-type' as const },
      { ...letter, reason: 'invalid-message' as const },
    ];
    instruments.received([], { duplicates: 2, deadLetters });
    instruments.settled([], { duplicates: 1, deadLetters: [], settled: new Set() });
    expect(await metered.read('tillbox.messages.duplicates')).to.deep.equal({
      'payment-requests': 2,
      'payment-results': 1,
    });
    expect(await metered.read('tillbox.messages.dead_letters')).to.deep.equal({
      'payment-requests unknown-type': 2,
      'payment-requests invalid-message': 1,
    });
  });

  it('count each order once that became final, by outcome, and time its whole way by its id', async () => {
    const paid = uuidV7({ msecs: Date.now() - 10_000 });
    const [unpaid, before] = [uuidV7(), uuidV7()];
    const deliveries = [succeeded(paid), succeeded(paid), failed(unpaid), succeeded(before)];
    instruments.settled(deliveries, { settled: new Set([paid, unpaid]), duplicates: 2, deadLetters: [] });
    expect(await metered.read('tillbox.orders.settled')).to.deep.equal({
      FINISHED: 1,
      'CANCELED INSUFFICIENT_FUNDS': 1,
    });
    expect(await metered.read('tillbox.step.duration')).to.deep.equal({ 'settled 6': 2, order: 2 });
    expect(await metered.sum('tillbox.step.duration', { step: 'order' })).to.be.within(10, 60);
    expect(await metered.sum('tillbox.step.duration', { step: 'settled' })).to.be.within(2, 60);
  });

  it('bear with messages that are none', async () => {
    const odd = [null, 'text', 7, { subject: {} }, { subject: uuidV7() }];
    const deliveries = odd.map((message) => ({ message, jobId: 'job' }));
    instruments.settled(deliveries, { settled: new Set(), duplicates: 0, deadLetters: [] });
    instruments.received(deliveries, { duplicates: 0, deadLetters: [] });
    expect(await metered.read('tillbox.orders.settled')).to.deep.equal({});
  });

  it('never tell a negative time when clocks differ', async () => {
    instruments.decided(2, [-1, 2]);
    instruments.received(
      [delivery({ type: 'payment.requested.v1', ...facts(uuidV7()) }, new Date(Date.now() + 60_000))],
      {
        duplicates: 0,
        deadLetters: [],
      },
    );
    expect(await metered.sum('tillbox.step.duration', { step: 'decided' })).to.equal(2);
    expect(await metered.sum('tillbox.step.duration', { step: 'received' })).to.equal(0);
  });

  it('are nothing when nobody wants to know', () => {
    expect(noInstruments.on).to.equal(false);
    expect(() => noInstruments.created(1, 1)).not.to.throw();
  });
});
