import { expect } from 'chai';
import fc from 'fast-check';
import { RateLimit, rateLimitHeaders } from '../../../src/platform/rate-limit.ts';

describe('a rate limit', () => {
  it('lets as many through at once as in a second, then refuses until there is room', () => {
    const limit = new RateLimit('token', 10);
    const allowed = Array.from({ length: 12 }, () => limit.take('a', 0));
    expect(allowed.map(({ allowed }) => allowed)).to.deep.equal([...Array(10).fill(true), false, false]);
    expect(allowed.map(({ remaining }) => remaining)).to.deep.equal([9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 0]);
    expect(allowed[11]?.retryAfterSeconds).to.equal(1);
    expect(limit.take('a', 100).allowed).to.equal(true);
    expect(limit.take('a', 100).allowed).to.equal(false);
    expect(limit.take('a', 1_200).remaining).to.equal(9);
  });

  it('counts each key by itself', () => {
    const limit = new RateLimit('token', 1);
    expect([limit.take('a', 0), limit.take('b', 0)].map(({ allowed }) => allowed)).to.deep.equal([
      true,
      true,
    ]);
    expect(limit.take('a', 0).allowed).to.equal(false);
  });

  it('never lets more through than its rate, whatever comes when', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 400 }),
        (perSecond, pauses) => {
          const limit = new RateLimit('token', perSecond);
          const times: number[] = [];
          let now = 0;
          for (const pause of pauses) {
            now += pause;
            if (limit.take('a', now).allowed) times.push(now);
          }
          // In any second: a burst, and what its own duration pays off.
          for (const since of times) {
            const within = times.filter((time) => time >= since && time < since + 1_000).length;
            expect(within).to.be.at.most(2 * perSecond);
          }
          expect(times.length).to.be.at.most(perSecond + Math.ceil((now / 1_000) * perSecond) + 1);
        },
      ),
    );
  });

  it('remembers a bounded number of keys, the latest among them', () => {
    const limit = new RateLimit('address', 1);
    for (let key = 0; key < 250_000; key += 1) limit.take(String(key), 0);
    expect(limit.size).to.be.at.most(100_000);
    expect(limit.take('249999', 0).allowed).to.equal(false);
  });

  it('is told in the headers of the IETF draft', () => {
    const [token, address] = [new RateLimit('token', 10), new RateLimit('address', 500)];
    const taken = [token, address].map((limit) => ({ limit, allowance: limit.take('a', 0) }));
    expect(rateLimitHeaders(taken)).to.deep.equal({
      'ratelimit-policy': '"token";q=10;w=1, "address";q=500;w=1',
      ratelimit: '"token";r=9;t=1, "address";r=499;t=1',
    });
  });
});
