import { expect } from 'chai';
import { ClientRecord, type StoredWrite } from '../../../src/tools/chaos/client-record.ts';

describe('the client record of a chaos run', () => {
  const asked = { kind: 'order', userId: 'alice', amount: '5.00' } as const;
  const stored = (key: string, changes: Partial<StoredWrite> = {}): StoredWrite => ({
    ...asked,
    key,
    id: `id-${key}`,
    ...changes,
  });

  /** A record of one write, ended that way. */
  function recordOf(outcome: 'ok' | 'failed' | 'unknown'): ClientRecord {
    const record = new ClientRecord();
    record.begin('k', asked);
    record.end('k', outcome, { triedBefore: false, ...(outcome === 'ok' ? { id: 'id-k' } : {}) });
    return record;
  }

  const details = (record: ClientRecord, rows: StoredWrite[]) =>
    record.compare(rows).map(({ detail }) => detail);

  it('agrees when what was acknowledged is there', () => {
    expect(details(recordOf('ok'), [stored('k')])).to.deep.equal([]);
  });

  it('misses what was acknowledged and is not there', () => {
    expect(details(recordOf('ok'), [])).to.deep.equal(['order id-k was acknowledged and is not there']);
  });

  it('takes what ended unknown either way', () => {
    expect(details(recordOf('unknown'), [])).to.deep.equal([]);
    expect(details(recordOf('unknown'), [stored('k')])).to.deep.equal([]);
  });

  it('finds what is there although it was refused', () => {
    expect(details(recordOf('failed'), [stored('k')])[0]).to.contain('was told it is not');
  });

  it('lets a refusal say nothing about an earlier try of unknown outcome', () => {
    const record = recordOf('unknown');
    record.end('k', 'failed', { triedBefore: true });
    expect(details(record, [stored('k')])).to.deep.equal([]);
  });

  it('finds what nobody sent, what is there twice, and what was changed', () => {
    expect(details(recordOf('ok'), [stored('k'), stored('other')])[0]).to.contain('no client sent it');
    expect(details(recordOf('ok'), [stored('k'), stored('k')])[0]).to.contain('a second time');
    expect(details(recordOf('ok'), [stored('k', { amount: '6.00' })])[0]).to.contain('asked was 5.00');
    expect(details(recordOf('ok'), [stored('k', { id: 'id-x' })])[0]).to.contain('was acknowledged as id-k');
  });

  it('finds a final status that changed', () => {
    const record = new ClientRecord();
    for (const [at, status] of ['NEW', 'FINISHED', 'FINISHED', 'NEW'].entries()) {
      record.seen('o', status, at, at + 0.5);
    }
    expect(details(record, [])).to.deep.equal(['was FINISHED, then NEW']);
  });

  it('lets an answer that was long on its way tell of an earlier moment, and of no other end', () => {
    const record = new ClientRecord();
    record.seen('o', 'FINISHED', 10, 20);
    record.seen('o', 'NEW', 15, 30);
    expect(details(record, [])).to.deep.equal([]);
    // The first answer counts, however often it is seen again.
    record.seen('o', 'FINISHED', 40, 50);
    record.seen('o', 'NEW', 21, 60);
    record.seen('o', 'CANCELED', 5, 70);
    expect(details(record, [])).to.deep.equal(['was FINISHED, then NEW', 'was FINISHED, then CANCELED']);
  });
});
