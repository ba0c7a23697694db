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

  /** When a statement was sent: minutes ago, so that what ends now instead would show. */
  const begunAt = Date.now() - 600_000;
  const facts = (orderId: string) => ({ orderId, userId: 'anna', amount: 100n });
  const delivery = (message: Message, publishedAt = new Date()) => ({
    message: toCloudEvent(message),
    jobId: 'job',
    publishedAt,
  });
  const succeeded = (orderId: string) =>
    delivery({ type: 'payment.succeeded.v1', ...facts(orderId) }, new Date(begunAt - 2_000));
  const failed = (orderId: string) =>
    delivery(
      { type: 'payment.failed.v1', reason: 'INSUFFICIENT_FUNDS', ...facts(orderId) },
      new Date(begunAt),
    );

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
    const row = { seq: 1n, dead_letter: null, created_at: new Date(begunAt - 4_000) };
    const rows = [
      { ...row, queue: 'payment-requests', messages: [1, 2, 3] },
      { ...row, queue: 'payment-results', messages: [4] },
      { ...row, queue: 'payment-results-dead-letters', messages: [5], dead_letter: {} },
    ];
    instruments.published(rows, begunAt);
    expect(await metered.read('tillbox.step.duration')).to.deep.equal({ 'published 2': 3, 'published 5': 1 });
    expect(await metered.sum('tillbox.step.duration', { number: 5 })).to.equal(4);
  });

  it('count duplicates by queue and dead letters by reason', async () => {
    const letter = { detail: '', queue: 'payment-requests', jobId: '', message: {} } as const;
    const deadLetters = [
      { ...letter, reason: 'unknown-type' as const },
      { ...letter, reason: 'unknown-type' as const },
      { ...letter, reason: 'invalid-message' as const },
    ];
    instruments.received({ firsts: [], duplicates: 2, deadLetters, begunAt });
    instruments.settled([], { duplicates: 1, deadLetters: [], settled: new Set(), begunAt });
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
    const settled = new Set([paid, unpaid]);
    instruments.settled(deliveries, { settled, duplicates: 2, deadLetters: [], begunAt });
    expect(await metered.read('tillbox.orders.settled')).to.deep.equal({
      FINISHED: 1,
      'CANCELED INSUFFICIENT_FUNDS': 1,
    });
    expect(await metered.read('tillbox.step.duration')).to.deep.equal({ 'settled 6': 2, order: 2 });
    expect(await metered.sum('tillbox.step.duration', { step: 'order' })).to.be.within(10, 60);
    expect(await metered.sum('tillbox.step.duration', { step: 'settled' })).to.equal(2);
  });

  it('time the first delivery of each message as received, up to when its statement was sent', async () => {
    const request = () => ({ type: 'payment.requested.v1', ...facts(uuidV7()) }) as const;
    const firsts = [1_000, 500].map((ms) => delivery(request(), new Date(begunAt - ms)));
    instruments.received({ firsts, duplicates: 3, deadLetters: [], begunAt });
    expect(await metered.read('tillbox.step.duration')).to.deep.equal({ 'received 3': 2 });
    expect(await metered.sum('tillbox.step.duration', { step: 'received' })).to.equal(1.5);
  });

  it('bear with messages that are none', async () => {
    const odd = [null, 'text', 7, { subject: {} }, { subject: uuidV7() }];
    const deliveries = odd.map((message) => ({ message, jobId: 'job' }));
    instruments.settled(deliveries, { settled: new Set(), duplicates: 0, deadLetters: [], begunAt });
    instruments.received({ firsts: deliveries, duplicates: 0, deadLetters: [], begunAt });
    expect(await metered.read('tillbox.orders.settled')).to.deep.equal({});
  });

  it('never tell a negative time when clocks differ', async () => {
    instruments.decided(2, [-1, 2]);
    const request = { type: 'payment.requested.v1', ...facts(uuidV7()) } as const;
    const firsts = [delivery(request, new Date(begunAt + 60_000))];
    instruments.received({ firsts, duplicates: 0, deadLetters: [], begunAt });
    expect(await metered.sum('tillbox.step.duration', { step: 'decided' })).to.equal(2);
    expect(await metered.sum('tillbox.step.duration', { step: 'received' })).to.equal(0);
  });

  it('are nothing when nobody wants to know', () => {
    expect(noInstruments.on).to.equal(false);
    expect(() => noInstruments.created(1, 1)).not.to.throw();
  });
});
