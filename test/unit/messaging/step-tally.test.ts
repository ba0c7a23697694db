import { expect } from 'chai';
import type { Delivery } from '../../../src/messaging/broker/broker.ts';
import { type Instruments, noInstruments } from '../../../src/messaging/instruments.ts';
import type { OutboxRow } from '../../../src/messaging/outbox.ts';
import { StepTally } from '../../../src/messaging/step-tally.ts';

describe('the tally of steps', () => {
  let now = 1_000_000;
  const tallyOf = (service: 'orders' | 'payments', behind: Instruments = noInstruments) =>
    new StepTally(service, behind, () => now);
  const rates = (tally: StepTally) => tally.rates().map(({ number, per_s }) => [number, per_s]);
  const delivery: Delivery = { message: {}, jobId: 'x' };
  const row = (messages: number, dead_letter: object | null = null): OutboxRow => ({
    seq: 1n,
    queue: 'payment-requests',
    messages: new Array(messages).fill({}),
    dead_letter,
    created_at: new Date(),
  });

  it('says how often a second each step of the service was taken in the last five seconds', () => {
    const orders = tallyOf('orders');
    orders.created(10, 0.1);
    now += 1_000;
    orders.created(5, 0.1);
    orders.published([row(4), row(1, { reason: 'unknown-type' })], 0);
    const settled = new Set(['a', 'b']);
    orders.settled([delivery, delivery], { settled, duplicates: 0, deadLetters: [], begunAt: 0 });
    expect(orders.rates().map(({ step }) => step)).to.deep.equal(['created', 'published', 'settled']);
    expect(rates(orders)).to.deep.equal([
      [1, 3],
      [2, 0.8],
      [6, 0.4],
    ]);
  });

  it('counts neither duplicates nor dead letters', () => {
    const payments = tallyOf('payments');
    const letter = { ...delivery, queue: 'payment-requests', reason: 'unknown-type', detail: '' } as const;
    const firsts = new Array(5).fill(delivery);
    payments.received({ firsts, duplicates: 3, deadLetters: [letter, letter], begunAt: 0 });
    payments.decided(4, []);
    expect(rates(payments)).to.deep.equal([
      [3, 1],
      [4, 0.8],
      [5, 0],
    ]);
  });

  it('forgets after five seconds, and after a long pause', () => {
    const orders = tallyOf('orders');
    orders.created(10, 0);
    now += 4_400;
    orders.created(1, 0);
    expect(rates(orders)[0]).to.deep.equal([1, 2.2]);
    now += 1_000;
    expect(rates(orders)[0]).to.deep.equal([1, 0.2]);
    now += 3_600_000;
    expect(rates(orders)[0]).to.deep.equal([1, 0]);
  });

  it('passes everything on to the instruments behind', () => {
    const told: unknown[] = [];
    const behind = new Proxy(noInstruments, {
      get: (_target, name) => (name === 'on' ? true : (...values: unknown[]) => told.push([name, ...values])),
    });
    const tally = tallyOf('payments', behind);
    const outcome = { duplicates: 0, deadLetters: [], begunAt: 5 };
    const received = { ...outcome, firsts: [] };
    tally.created(1, 2);
    tally.published([], 5);
    tally.received(received);
    tally.decided(3, [0.1]);
    tally.settled([], { ...outcome, settled: new Set() });
    tally.swept(4);
    tally.retried('what');
    expect(tally.on).to.equal(true);
    expect(told).to.deep.equal([
      ['created', 1, 2],
      ['published', [], 5],
      ['received', received],
      ['decided', 3, [0.1]],
      ['settled', [], { ...outcome, settled: new Set() }],
      ['swept', 4],
      ['retried', 'what'],
    ]);
  });
});
