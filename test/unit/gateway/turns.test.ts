import { expect } from 'chai';
import { Turns } from '../../../src/gateway/turns.ts';
import { deferred, nextTurn } from '../../support/deferred.ts';

describe('the turns of a client', () => {
  it('are so many at once, in order, whatever becomes of each; another client does not wait', async () => {
    const turns = new Turns({ atOnce: 2 });
    const begun: string[] = [];
    const ends = {
      first: deferred(),
      second: deferred(),
      third: deferred(),
      fourth: deferred(),
      other: deferred(),
    };
    const take = (client: string, name: keyof typeof ends) =>
      turns.take(
        client,
        () => {
          begun.push(name);
          return ends[name].promise;
        },
        () => new AbortController().signal,
      );
    const greedy = (['first', 'second', 'third', 'fourth'] as const).map((name) => take('greedy', name));
    const outcomes = Promise.allSettled(greedy);
    void take('modest', 'other');
    await nextTurn();
    expect(begun).to.deep.equal(['first', 'second', 'other']);
    ends.second.reject(new Error('it failed'));
    await nextTurn();
    expect(begun).to.deep.equal(['first', 'second', 'other', 'third']);
    ends.first.resolve();
    ends.third.resolve();
    ends.fourth.resolve();
    const statuses = (await outcomes).map(({ status }) => status);
    expect(statuses).to.deep.equal(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
    expect(turns.size, 'clients remembered').to.equal(1);
    ends.other.resolve();
    await nextTurn();
    expect(turns.size, 'clients remembered').to.equal(0);
  });

  it('do not come to who has waited for long, or is gone; then nothing is done, and the next one is not kept', async () => {
    const turns = new Turns({ atOnce: 1, waitMs: 1 });
    const begun: string[] = [];
    const first = deferred();
    const holding = turns.take(
      'greedy',
      () => first.promise,
      () => AbortSignal.abort(),
    );
    const take = (name: string, gone: AbortSignal) =>
      turns
        .take(
          'greedy',
          async () => void begun.push(name),
          () => gone,
        )
        .catch(({ code }) => code);
    expect(await take('late', new AbortController().signal)).to.equal('overloaded');
    expect(await take('gone', AbortSignal.abort())).to.equal('overloaded');
    first.resolve();
    await holding;
    await take('next', new AbortController().signal);
    expect(begun).to.deep.equal(['next']);
    expect(turns.size).to.equal(0);
  });
});
