import { expect } from 'chai';
import { Turns } from '../../../src/gateway/turns.ts';
import { deferred, nextTurn } from '../../support/deferred.ts';

describe('the turns of a client', () => {
  it('are so many at once, in order, whatever becomes of each; another client does not wait', async () => {
    const turns = new Turns(2);
    const begun: string[] = [];
    const ends = {
      first: deferred(),
      second: deferred(),
      third: deferred(),
      fourth: deferred(),
      other: deferred(),
    };
    const take = (client: string, name: keyof typeof ends) =>
      turns.take(client, () => {
        begun.push(name);
        return ends[name].promise;
      });
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
  });
});
