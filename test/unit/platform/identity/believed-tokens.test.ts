import { expect } from 'chai';
import { BelievedTokens } from '../../../../src/platform/identity/believed-tokens.ts';
import { refusal } from '../../../support/refusal.ts';

describe('tokens that were checked before', () => {
  const alice = { subject: 'alice', scope: 'user' } as const;
  /** A check that counts, of tokens that count until 1,000,000. */
  function counted() {
    const calls: string[] = [];
    const tokens = new BelievedTokens(async (token) => {
      calls.push(token);
      return { principal: alice, believedUntil: 1_000_000 };
    });
    return { tokens, calls };
  }

  it('are believed without another check, at once', async () => {
    const { tokens, calls } = counted();
    expect(await tokens.principalOf('Bearer a.b.c', 0)).to.equal(alice);
    expect(tokens.principalOf('Bearer a.b.c', 1)).to.equal(alice);
    expect(calls).to.deep.equal(['a.b.c']);
  });

  it('are checked again after five minutes, and after their end', async () => {
    const { tokens, calls } = counted();
    await tokens.principalOf('Bearer a.b.c', 0);
    await tokens.principalOf('Bearer a.b.c', 300_000);
    await tokens.principalOf('Bearer a.b.c', 599_999);
    expect(calls).to.have.length(2);
    await tokens.principalOf('Bearer d.e.f', 999_000);
    await tokens.principalOf('Bearer d.e.f', 1_000_000);
    expect(calls).to.have.length(4);
  });

  it('are checked once for a thousand requests that come with one at the same time', async () => {
    const { tokens, calls } = counted();
    await Promise.all(Array.from({ length: 1_000 }, () => tokens.principalOf('Bearer a.b.c', 0)));
    expect(calls).to.have.length(1);
  });

  it('are not remembered when they are refused', async () => {
    let calls = 0;
    const tokens = new BelievedTokens(async () => {
      calls += 1;
      throw new Error('forged');
    });
    for (const _ of [1, 2]) await Promise.resolve(tokens.principalOf('Bearer a.b.c', 0)).catch(() => {});
    expect({ calls, size: tokens.size }).to.deep.equal({ calls: 2, size: 0 });
  });

  it('are forgotten, the oldest first, beyond a bound', async () => {
    const { tokens } = counted();
    const long = 'x'.repeat(7_000);
    for (let count = 0; count < 3_000; count += 1) await tokens.principalOf(`Bearer a.${long}${count}.c`, 0);
    expect(tokens.size).to.be.within(2_000, 2_300);
    expect(tokens.principalOf(`Bearer a.${long}2999.c`, 1)).to.equal(alice);
    expect(tokens.principalOf(`Bearer a.${long}0.c`, 1)).to.be.a('promise');
  });

  for (const header of [
    '',
    'Basic YTpi',
    'Bearer',
    'Bearer a',
    'Bearer a.b',
    'Bearer a.b.c d',
    'Bearer a.b.c,d',
  ]) {
    it(`are not what "${header}" holds`, async () => {
      const { tokens, calls } = counted();
      await refusal('unauthenticated', () => tokens.principalOf(header, 0));
      expect(calls).to.deep.equal([]);
    });
  }

  it('are not looked at when they are longer than any', async () => {
    const { tokens } = counted();
    await refusal('unauthenticated', () => tokens.principalOf(`Bearer a.${'b'.repeat(9_000)}.c`, 0));
  });
});
