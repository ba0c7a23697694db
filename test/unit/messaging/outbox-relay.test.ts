import { expect } from 'chai';
import fc from 'fast-check';
import { batchSizeMax } from '../../../src/messaging/messages.ts';
import type { OutboxRow } from '../../../src/messaging/outbox.ts';
import { toPublications } from '../../../src/messaging/outbox-relay.ts';

const createdAt = new Date('2026-01-31T12:00:00.000Z');

function row(seq: number, { queue = 'payment-results', dead = false } = {}): OutboxRow {
  return {
    seq: BigInt(seq),
    queue: dead ? `${queue}-dead-letters` : queue,
    messages: [{ id: seq }],
    dead_letter: dead ? { reason: 'unknown-type', job_id: String(seq) } : null,
    created_at: createdAt,
  };
}

const rows = fc
  .array(fc.record({ queue: fc.constantFrom('one', 'two'), dead: fc.nat(9).map((n) => n === 0) }), {
    maxLength: 500,
  })
  .map((list) => list.map((kind, index) => row(index, kind)));

function idsIn(messages: readonly unknown[]): number[] {
  return messages.map((message) => (message as { id: number }).id);
}

describe('outbox rows as jobs', () => {
  it('hold every row exactly once, in the order of its queue', () => {
    fc.assert(
      fc.property(rows, (all) => {
        const publications = toPublications(all);
        for (const queue of new Set(all.map((one) => one.queue))) {
          const published = publications.filter((publication) => publication.queue === queue);
          const wanted = all.filter((one) => one.queue === queue).map(({ seq }) => Number(seq));
          expect(published.flatMap(({ data }) => idsIn(data.messages))).to.deep.equal(wanted);
        }
        expect(publications.flatMap(({ data }) => data.messages)).to.have.length(all.length);
      }),
    );
  });

  it('hold from 1 to 100 messages, and are no more than it takes', () => {
    fc.assert(
      fc.property(rows, (all) => {
        const publications = toPublications(all);
        for (const { data } of publications) expect(data.messages.length).to.be.within(1, batchSizeMax);
        for (const queue of ['one', 'two']) {
          const messages = all.filter((one) => one.queue === queue).length;
          const jobs = publications.filter((publication) => publication.queue === queue).length;
          expect(jobs).to.equal(Math.ceil(messages / 100));
        }
      }),
    );
    const [full, rest] = toPublications(Array.from({ length: 101 }, (_, index) => row(index)));
    expect([full?.data.messages.length, rest?.data.messages.length]).to.deep.equal([100, 1]);
  });

  it('pass on what is no message at all, rather than hold up what stands behind it', () => {
    const messages = [null, 'text', 7, true, [], {}, { id: 1 }];
    const [job] = toPublications([{ ...row(0), messages }]);
    const time = createdAt.toISOString();
    expect(JSON.parse(JSON.stringify(job?.data.messages))).to.deep.equal([
      ...[null, 'text', 7, true, [], { time }],
      { id: 1, time },
    ]);
  });

  it('hold a dead letter alone, with its reason and when it was refused', () => {
    const [first, letter, last] = toPublications([row(1), row(2, { dead: true }), row(3)]);
    expect(idsIn(first?.data.messages ?? [])).to.deep.equal([1, 3]);
    expect(last).to.equal(undefined);
    expect(letter).to.deep.equal({
      queue: 'payment-results-dead-letters',
      data: {
        messages: [{ id: 2 }],
        dead_letter: { reason: 'unknown-type', job_id: '2', at: createdAt.toISOString() },
      },
    });
  });

  it('keep a dead letter as it came, whatever it is', () => {
    for (const message of [null, 5, 'text', [], { time: 'mine' }]) {
      const [letter] = toPublications([{ ...row(1, { dead: true }), messages: [message] }]);
      expect(letter?.data.messages).to.deep.equal([message]);
    }
  });

  it('say when each message was written down', () => {
    const [job] = toPublications([row(1)]);
    expect(job?.data.messages).to.deep.equal([{ id: 1, time: '2026-01-31T12:00:00.000Z' }]);
  });

  it('are none without rows', () => {
    expect(toPublications([])).to.deep.equal([]);
  });
});
