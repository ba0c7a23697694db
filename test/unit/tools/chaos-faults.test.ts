import { expect } from 'chai';
import { FaultSchedule, type Strike } from '../../../src/tools/chaos/fault-schedule.ts';
import { faults, type Server, type Victims } from '../../../src/tools/chaos/faults.ts';
import { seededRandom } from '../../../src/tools/random.ts';

describe('chaos: a link', () => {
  /** A link whose weather so many felt; a seed for each kind of weather. */
  const strike = (seed: number, harmed: number) => {
    const felt: object[] = [];
    const link = {
      harmed,
      set: (weather: object) => felt.push(weather),
      heal: () => {},
      reset: () => harmed,
    };
    const victims = {
      links: [{ name: 'broker', link }],
      random: seededRandom(seed),
      signal: AbortSignal.abort(),
    };
    const told = faults.link(victims as unknown as Victims);
    return told.catch(({ message }: Error) => message);
  };
  const seeds = Array.from({ length: 40 }, (_, seed) => seed);

  it('has not struck when nothing came over it meanwhile', async () => {
    const told = await Promise.all(seeds.map((seed) => strike(seed, 0)));
    const kinds = new Set(told.map((what) => what.replace(/\d+/, 'N')));
    expect([...kinds]).to.have.members([
      'nothing came over the link to broker in N ms',
      'the link to broker had no connections',
    ]);
  });

  it('has struck when something did, and lasted as long as it says', async () => {
    const told = await Promise.all(seeds.map((seed) => strike(seed, 3)));
    expect(
      told.every((what) => /^link to broker (reset|.*, \d+ ms)$/.test(what)),
      told.join(),
    ).to.equal(true);
  });
});

describe('chaos: a crash of a server', () => {
  const over = AbortSignal.abort();
  const victims = (server: Server) =>
    ({ servers: [server], random: seededRandom(1), signal: over }) as unknown as Victims;

  it('does not strike a server that another one has down, and strikes it when it is back', async () => {
    const revived = Promise.withResolvers<boolean>();
    let crashes = 0;
    const server: Server = {
      name: 'orders',
      crash: async () => {
        crashes += 1;
      },
      revive: () => revived.promise,
    };
    const first = faults.postgres(victims(server));
    const second = await faults.postgres(victims(server)).catch((error: Error) => error.message);
    expect([second, crashes]).to.deep.equal(['orders is away already', 1]);
    revived.resolve(true);
    expect(await first).to.match(/^crashed orders, \d+ ms$/);
    expect(await faults.postgres(victims(server))).to.match(/^crashed orders/);
  });

  it('is told in one line when it could not strike, and is tried again, a few times at most', async () => {
    const strikeMissing = async (failures: number) => {
      let left = failures;
      const struck = new AbortController();
      const crash = async () => {
        left -= 1;
        if (left < 0) return struck.abort();
        throw new Error('It does not start; its log ends with:\na\nb');
      };
      const told: Strike[] = [];
      const server: Server = { name: 'orders', crash, revive: async () => true };
      const schedule = new FaultSchedule(victims(server), ['postgres'], (strike) => told.push(strike));
      await schedule.strikeMissing(struck.signal);
      return told;
    };
    const [failed, struck] = await strikeMissing(1);
    expect(failed?.what).to.equal('postgres could not strike: It does not start; its log ends with:');
    expect([failed?.struck, struck?.struck]).to.deep.equal([false, true]);
    const never = await strikeMissing(1_000);
    expect(never.map((strike) => strike.struck)).to.deep.equal([false, false, false, false, false]);
  });
});
