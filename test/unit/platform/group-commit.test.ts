import { expect } from 'chai';
import { GroupCommit } from '../../../src/platform/group-commit.ts';
import { type Deferred, deferred, nextTurn } from '../../support/deferred.ts';
import { refusal } from '../../support/refusal.ts';

describe('group commit', () => {
  /** A group commit whose writes end when the test says so. */
  function held(
    limits: {
      batchSizeMax?: number;
      writesInFlightMax?: number;
      waitingMax?: number;
      waitingMsMax?: number;
    } = {},
  ) {
    const writes: { items: number[]; end: Deferred<string[]> }[] = [];
    const group = new GroupCommit<number, string>({
      write: (items) => {
        const end = deferred<string[]>();
        writes.push({ items, end });
        return end.promise;
      },
      batchSizeMax: 10,
      writesInFlightMax: 1,
      waitingMax: 100,
      ...limits,
    });
    const commit = (index: number) => {
      const { items, end } = writes[index] as (typeof writes)[number];
      end.resolve(items.map((item) => `wrote ${item}`));
    };
    return { group, writes, commit, batches: () => writes.map(({ items }) => items) };
  }

  it('writes an item at once and alone when idle', async () => {
    const { group, commit, batches } = held();
    const result = group.submit(1);
    await nextTurn();
    expect(batches()).to.deep.equal([[1]]);
    commit(0);
    expect(await result).to.equal('wrote 1');
  });

  it('writes together what arrives together', async () => {
    const { group, commit, batches } = held();
    const results = [1, 2, 3].map((item) => group.submit(item));
    await nextTurn();
    expect(batches()).to.deep.equal([[1, 2, 3]]);
    commit(0);
    expect(await Promise.all(results)).to.deep.equal(['wrote 1', 'wrote 2', 'wrote 3']);
  });

  it('gathers what arrives while a write is in flight, and writes it next, in order', async () => {
    const { group, commit, batches } = held();
    const first = group.submit(1);
    await nextTurn();
    const later = [group.submit(2)];
    await nextTurn();
    later.push(group.submit(3));
    await nextTurn();
    expect(batches()).to.deep.equal([[1]]);
    commit(0);
    await first;
    await nextTurn();
    expect(batches()).to.deep.equal([[1], [2, 3]]);
    commit(1);
    expect(await Promise.all(later)).to.deep.equal(['wrote 2', 'wrote 3']);
  });

  it('answers nobody before the write is over', async () => {
    const { group, commit } = held();
    let answered = false;
    const result = group.submit(1).then(() => {
      answered = true;
    });
    await nextTurn();
    expect(answered).to.equal(false);
    commit(0);
    await result;
  });

  it('never writes more than a batch at once, nor more batches than allowed', async () => {
    const { group, commit, batches } = held({ batchSizeMax: 2, writesInFlightMax: 2 });
    const results = [1, 2, 3, 4, 5].map((item) => group.submit(item));
    await nextTurn();
    await nextTurn();
    expect(batches()).to.deep.equal([
      [1, 2],
      [3, 4],
    ]);
    commit(1);
    await results[3];
    await nextTurn();
    expect(batches()).to.deep.equal([[1, 2], [3, 4], [5]]);
    commit(0);
    commit(2);
    expect(await Promise.all(results)).to.have.length(5);
  });

  it('refuses only the batch whose write failed', async () => {
    const { group, writes, commit } = held();
    const failing = [group.submit(1), group.submit(2)].map((result) =>
      result.catch((error) => error.message),
    );
    await nextTurn();
    const next = group.submit(3);
    writes[0]?.end.reject(new Error('the disk is full'));
    expect(await Promise.all(failing)).to.deep.equal(['the disk is full', 'the disk is full']);
    await nextTurn();
    commit(1);
    expect(await next).to.equal('wrote 3');
  });

  it('refuses early when too many wait, and takes requests again when they are written', async () => {
    const { group, commit } = held({ waitingMax: 2 });
    const first = group.submit(1);
    await nextTurn();
    const waiting = [group.submit(2), group.submit(3)];
    const { retryAfterSeconds } = await refusal('overloaded', () => group.submit(4));
    expect(retryAfterSeconds).to.equal(1);
    commit(0);
    await first;
    await nextTurn();
    const again = group.submit(5);
    commit(1);
    await Promise.all(waiting);
    await nextTurn();
    commit(2);
    expect(await again).to.equal('wrote 5');
  });

  it('refuses what has waited too long for its write to begin, and nothing that is being written', async () => {
    const { group, commit, batches } = held({ waitingMsMax: 20 });
    const first = group.submit(1);
    await nextTurn();
    const late = [group.submit(2), group.submit(3)].map((result) => refusal('unavailable', () => result));
    await Promise.all(late);
    commit(0);
    expect(await first).to.equal('wrote 1');
    await nextTurn();
    const next = group.submit(4);
    await nextTurn();
    expect(batches()).to.deep.equal([[1], [4]]);
    commit(1);
    expect(await next).to.equal('wrote 4');
  });
});
