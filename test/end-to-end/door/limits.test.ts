import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { eventually } from '../../support/eventually.ts';
import { occupy } from '../../support/occupants.ts';
import { type Answered, unacceptable } from '../../support/probe.ts';
import { sendBytes } from '../../support/raw-request.ts';
import { useSystem } from '../../support/running-system.ts';
import { claimsFor, sign, testSecret } from '../../support/tokens.ts';

/** What was promised of a gateway under attack. */
const healthMsMax = 1_000;
/** Far above what it takes: some 150 MB. What is unbounded goes through it in seconds. */
const memoryBytesMax = 600 * 1024 * 1024;

describe('a gateway under attack', () => {
  const system = useSystem([], { TILLBOX_AUTH_SECRET: testSecret });
  const leaving: (() => Promise<number>)[] = [];
  afterEach(() => Promise.all(leaving.splice(0).map((leave) => leave())));

  /** Connects, sends these bytes, and stays; answers how many connections there are then. */
  async function occupyGateway(count: number, bytes: string): Promise<number> {
    const occupants = await occupy(system.url, count, bytes);
    leaving.push(occupants.leave);
    return occupants.open;
  }

  /**
   * Health is good, and answers in time, each of some times while something goes on. On a machine busy with other
   * things the time in which the gateway only waits for a core is not its own; and a process that nobody attacks is
   * asked beside it: what that one takes is the machine, too. Among many requests health waits its turn.
   * @param others.slowestMs the slowest answer that any of the other requests got meanwhile
   */
  async function expectHealthy(looks = 5, others = { slowestMs: 0 }): Promise<void> {
    const [orders] = system.runtime.orders;
    const answers: Answered[] = [];
    const ask = async (what: string, { url, pid }: { url: string; pid: number }) => {
      const at = performance.now();
      const waitedMs = waitedForCoreMs(pid);
      const { status } = await fetch(`${url}/livez`, { headers: { connection: 'close' } });
      answers.push({ what, status, at, ms: performance.now() - at - (waitedForCoreMs(pid) - waitedMs) });
    };
    for (let look = 0; look < looks; look += 1) {
      await Promise.all([
        ask('health', system.runtime.gateway),
        ask('alive', orders as { url: string; pid: number }),
      ]);
      await sleep(50);
    }
    expect(answers.map(({ status }) => status)).to.deep.equal(answers.map(() => 200));
    expect(unacceptable(answers, healthMsMax + others.slowestMs)).to.deep.equal([]);
  }

  /** How long the main thread of a process could have run and had no core, since it began. */
  function waitedForCoreMs(pid: number): number {
    return Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[1]) / 1e6;
  }

  function memoryOfGateway(): number {
    const status = readFileSync(`/proc/${system.runtime.gateway.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
  }

  const halves = {
    'nothing at all': '',
    'half a request line': 'GET /livez HT',
    'headers without an end': 'GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Slow: ',
    'a body that does not come':
      'POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{',
  };
  for (const [what, bytes] of Object.entries(halves)) {
    it(`is healthy with 2,000 connections that sent ${what}`, async () => {
      // Those that were there first may have been sent away by the time the last one is, on a busy machine.
      expect(await occupyGateway(2_000, bytes)).to.be.greaterThan(1_000);
      await expectHealthy();
      expect(memoryOfGateway()).to.be.lessThan(memoryBytesMax);
    });
  }

  it('has room for who speaks, with more silent connections than it holds', async () => {
    await occupyGateway(5_000, 'GET /livez HT');
    await expectHealthy();
    expect(memoryOfGateway()).to.be.lessThan(memoryBytesMax);
  });

  // Of the last two Node takes care by itself, unless it is told otherwise.
  for (const [what, request] of [
    ['requests', 'GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n'],
    ['requests without a Host', 'GET / HTTP/1.1\r\n\r\n'],
    ['requests that expect something', 'GET / HTTP/1.1\r\nHost: localhost\r\nExpect: x\r\n\r\n'],
  ] as const) {
    it(`is healthy, and bounded, with thousands of ${what} in one piece on each of many connections`, async () => {
      const { pid } = system.runtime.gateway;
      await occupyGateway(60, request.repeat(3_000));
      await expectHealthy(10);
      expect(memoryOfGateway()).to.be.lessThan(memoryBytesMax);
      expect(system.runtime.gateway.pid).to.equal(pid);
    });
  }

  it('does not wait for ever for who is slow', async () => {
    const answer = await sendBytes(system.url, 'GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Slow: ');
    expect(answer.status).to.equal(408);
    const body = await sendBytes(
      system.url,
      'POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{',
    );
    // Without a token nobody waits for the body at all.
    expect(body.status).to.be.oneOf([401, 408]);
  });

  for (const [what, token] of [
    ['without a token', () => ''],
    ['with forged tokens', () => sign(claimsFor('mallory'), `x${testSecret}`)],
    ['with a good token', () => sign(claimsFor('alice'), testSecret)],
  ] as const) {
    it(`is healthy, and bounded, in a flood of requests ${what}`, async () => {
      const authorization = `Bearer ${await token()}`;
      const statuses = new Map<number, number>();
      const seen = { slowestMs: 0 };
      let flooding = true;
      const flood = async () => {
        while (flooding) {
          const at = performance.now();
          const answer = await fetch(`${system.url}/accounts/alice`, { headers: { authorization } }).catch(
            () => undefined,
          );
          await answer?.arrayBuffer().catch(() => {});
          seen.slowestMs = Math.max(seen.slowestMs, performance.now() - at);
          statuses.set(answer?.status ?? 0, (statuses.get(answer?.status ?? 0) ?? 0) + 1);
        }
      };
      const clients = Array.from({ length: 100 }, flood);
      try {
        await expectHealthy(10, seen);
        if (what === 'with a good token') await eventually(() => expect(statuses.has(429)).to.equal(true));
      } finally {
        flooding = false;
      }
      await Promise.all(clients);
      expect(memoryOfGateway()).to.be.lessThan(memoryBytesMax);
      if (what !== 'with a good token') expect([...statuses.keys()]).to.deep.equal([401]);
    });
  }

  it('tells a user how much is left, and when there is more', async () => {
    const headers = { authorization: `Bearer ${await sign(claimsFor('bob'), testSecret)}` };
    const first = await system.get('/accounts/bob', headers);
    expect(first.headers.get('ratelimit-policy')).to.equal('"token";q=100;w=1');
    expect(first.headers.get('ratelimit')).to.match(/^"token";r=\d+;t=1$/);
    const refused = await eventually(async () => {
      const answers = await Promise.all(
        Array.from({ length: 300 }, () => system.get<{ code: string }>('/accounts/bob', headers)),
      );
      const answer = answers.find(({ status }) => status === 429);
      if (answer === undefined) throw new Error('none was refused');
      return answer;
    });
    expect(refused.body.code).to.equal('rate-limited');
    expect(refused.headers.get('retry-after')).to.equal('1');
    expect(refused.headers.get('ratelimit')).to.match(/^"token";r=0;t=1$/);
    // Another user, and the operator, are not touched.
    for (const claims of [claimsFor('carol'), claimsFor('ops', { scope: 'operator' })]) {
      const other = { authorization: `Bearer ${await sign(claims, testSecret)}` };
      expect((await system.get('/accounts/carol', other)).status).to.equal(404);
    }
  });

  it('holds a bounded number of a user’s requests at once', async () => {
    const alice = {
      authorization: `Bearer ${await sign(claimsFor('dora'), testSecret)}`,
      'content-type': 'application/json',
    };
    const operator = {
      authorization: `Bearer ${await sign(claimsFor('ops', { scope: 'operator' }), testSecret)}`,
    };
    await system.post('/accounts', { user_id: 'dora' }, operator);
    const [payments] = system.runtime.payments;
    process.kill(payments?.pid as number, 'SIGSTOP');
    const gone = new AbortController();
    try {
      const waiting: number[] = [];
      await eventually(
        async () => {
          const sends = Array.from({ length: 60 }, () =>
            fetch(`${system.url}/orders`, {
              method: 'POST',
              headers: { ...alice, prefer: 'wait=60' },
              body: '{"user_id":"dora","amount":"1"}',
              signal: gone.signal,
            }).then(
              async (answer) => {
                const { detail } = (await answer.json()) as { detail?: string };
                if (answer.status === 429 && detail?.includes('under way')) waiting.push(answer.status);
              },
              () => {},
            ),
          );
          await Promise.race([Promise.all(sends), sleep(1_000)]);
          expect(waiting.length).to.be.greaterThan(0);
        },
        { withinMs: 25_000 },
      );
      expect((await system.get('/accounts/nobody', operator)).status).to.be.oneOf([404, 503]);
    } finally {
      gone.abort();
      process.kill(payments?.pid as number, 'SIGCONT');
    }
  }).timeout(60_000);

  it('cuts off who has a good token and sends half a body, and serves everybody else meanwhile', async () => {
    const authorizationOf = async (subject: string) => `Bearer ${await sign(claimsFor(subject), testSecret)}`;
    const halfOf = async (subject: string) =>
      `POST /orders HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${await authorizationOf(subject)}\r\n` +
      'Content-Type: application/json\r\nContent-Length: 900\r\n\r\n{';
    const askAs = async (subject: string) => {
      const authorization = await authorizationOf(subject);
      return system.get<{ detail: string }>(`/accounts/${subject}`, { authorization });
    };
    const half = await halfOf('erin');
    // As fast as the rate lets them in, until there is no room for one more of this user.
    const fill = async () => {
      await occupyGateway(90, half);
      expect((await askAs('erin')).body.detail).to.contain('under way');
    };
    await eventually(fill, { withinMs: 30_000, everyMs: 1_100 });
    const cut = sendBytes(system.url, await halfOf('frank'));
    expect((await askAs('grace')).status).to.equal(404);
    await expectHealthy();
    expect((await cut).status).to.equal(408);
    // They are there still, and hold no room any more.
    await eventually(async () => expect((await askAs('erin')).status).to.equal(404), { withinMs: 30_000 });
  }).timeout(90_000);

  it('refuses what is too large or too deep, before it costs anything', async () => {
    const operator = {
      authorization: `Bearer ${await sign(claimsFor('ops', { scope: 'operator' }), testSecret)}`,
    };
    const large = await system.post('/orders', `{"user_id":"${'a'.repeat(20_000)}"}`, operator);
    expect(large.status).to.equal(413);
    const deep = await system.post('/orders', `${'['.repeat(8_000)}${']'.repeat(8_000)}`, operator);
    expect(deep.status).to.equal(400);
    const header = await sendBytes(
      system.url,
      `GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Long: ${'a'.repeat(20_000)}\r\n\r\n`,
    );
    expect(header.status).to.equal(431);
    const path = await fetch(`${system.url}/accounts/${'a'.repeat(5_000)}`, { headers: operator });
    expect(path.status).to.equal(414);
  });
});
