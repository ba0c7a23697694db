import { expect } from 'chai';
import fc from 'fast-check';
import { cutDeep, type DeadLetter, refusalFields } from '../../../src/messaging/dead-letters.ts';

describe('dead letters', () => {
  it('keep a message as it came', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 20 }), (message) => {
        expect(cutDeep(message)).to.deep.equal(message);
      }),
    );
  });

  it('cut off what is nested too deeply for anything to read it', () => {
    const deep = (levels: number) => JSON.parse(`${'[{"a":'.repeat(levels / 2)}1${'}]'.repeat(levels / 2)}`);
    expect(cutDeep(deep(100))).to.deep.equal(deep(100));
    expect(JSON.stringify(cutDeep(deep(102)))).to.equal(
      JSON.stringify(deep(102)).replace('[{"a":1}]', '"…"'),
    );
    expect(JSON.stringify(cutDeep(deep(1_000_000))).length).to.be.below(1_000);
  });

  it('are logged by number, reason and ids, and by nothing else that stands in them', () => {
    const id = '0199aaaa-0000-7000-8000-000000000001';
    const letter = (message: unknown): DeadLetter => ({
      reason: 'unknown-type',
      detail: 'secret',
      queue: 'payment-requests',
      jobId: 'job',
      message,
    });
    const fields = { dead_letters: 2, queue: 'payment-requests', reason: 'unknown-type', job_id: 'job' };
    expect(refusalFields([letter({ id, subject: id, data: 'secret' }), letter(1)])).to.deep.equal({
      ...fields,
      message_id: id,
      order_id: id,
    });
    for (const odd of [null, 'text', { id: 'secret', subject: { a: 1 } }]) {
      expect(refusalFields([letter(odd), letter(1)])).to.deep.equal(fields);
    }
  });
});
