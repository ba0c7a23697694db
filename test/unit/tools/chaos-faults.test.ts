import { expect } from 'chai';
import { FaultSchedule, type Strike } from '../../../src/tools/chaos/fault-schedule.ts';
import { faults, type Server, type Victims } from '../../../src/tools/chaos/faults.ts';
import { seededRandom } from '../../../src/tools/random.ts';

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

  it('is told in one line when it could not strike, however much the server had to say', async () => {
    const server: Server = {
      name: 'orders',
      crash: () => Promise.reject(new Error('It does not start; its log ends with:\na\nb')),
      revive: async () => true,
    };
    const told: Strike[] = [];
    const schedule = new FaultSchedule(victims(server), ['postgres'], (strike) => told.push(strike));
    await schedule.strikeMissing(new AbortController().signal);
    expect(told.map(({ what, struck }) => [what, struck])).to.deep.equal([
      ['postgres could not strike: It does not start; its log ends with:', false],
    ]);
  });
});
