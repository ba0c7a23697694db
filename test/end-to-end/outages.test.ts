import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { credentialHeader } from '../../src/platform/identity/gateway-credential.ts';
import { Daemon } from '../support/daemon.ts';
import { eventually } from '../support/eventually.ts';
import { createdAnswer, ordersListener, refusedAnswer } from '../support/orders-service.ts';
import { Probe, unacceptable } from '../support/probe.ts';
import { useSystem } from '../support/running-system.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { testSecret } from '../support/tokens.ts';

interface Problem {
  code: string;
  status: number;
  detail: string;
}
interface Answer<Body> {
  status: number;
  headers: Headers;
  body: Body;
  /** When it was asked, by performance.now(). */
  at: number;
  /** Milliseconds it took. */
  ms: number;
}

/** In which a service that is away must be known to be so. */
const awayMsMax = 3_000;
/** In which a daemon must have ended after SIGTERM. */
const stopMsMax = 10_000;
/** How long clients write around a SIGTERM. */
const loadMs = 1_500;

async function ask<Body = Problem>(
  url: string,
  { body, headers = {} }: { body?: object; headers?: Record<string, string> } = {},
): Promise<Answer<Body>> {
  const at = performance.now();
  const answer = await fetch(url, {
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
  });
  const read = (await answer.json()) as Body;
  return { status: answer.status, headers: answer.headers, body: read, at, ms: performance.now() - at };
}

function expectAway({ status, headers, body }: Answer<Problem>, code = 'unavailable') {
  expect(body).to.include({ status: 503, code });
  expect(status).to.equal(503);
  expect(headers.get('content-type')).to.equal('application/problem+json');
  expect(Number(headers.get('retry-after'))).to.be.within(1, 60);
}

/** What a gateway was asked at once; each answer must come in time, but for what this machine was late itself. */
async function inTime<Body>(gateway: string, asked: Promise<Answer<Body>>[]): Promise<Answer<Body>[]> {
  const probe = new Probe(gateway, { onlyControl: true });
  const answers = await Promise.all(asked).finally(() => probe.stop());
  const timed = answers.map(({ status, at, ms }) => ({ what: 'an answer', status, at, ms }));
  expect(unacceptable([...probe.answers, ...timed], awayMsMax)).to.deep.equal([]);
  return answers;
}

describe('a gateway before services that are away', () => {
  const opened: Server[] = [];
  const gateways: Daemon[] = [];

  async function listening(server: Server): Promise<string> {
    opened.push(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** A service that does what the test wants. */
  const service = (listener: RequestListener) => listening(createServer(listener));
  /** A service that takes connections and never answers. */
  const silence = () => listening(createTcpServer((socket) => socket.on('error', () => {}).resume()));
  /** An address nobody listens at. */
  async function nobody(): Promise<string> {
    const server = createServer();
    const url = await listening(server);
    server.close();
    await once(server, 'close');
    return url;
  }

  async function startGateway(...urls: string[]): Promise<string> {
    const gateway = new Daemon('gateway', {
      GATEWAY_PORT: '0',
      ORDERS_URL: urls.join(','),
      PAYMENTS_URL: urls.join(','),
    });
    gateways.push(gateway);
    return gateway.url();
  }

  after(async () => {
    await Promise.all(gateways.map((gateway) => gateway.stop()));
    for (const server of opened) {
      server.close();
      if ('closeAllConnections' in server) (server as ReturnType<typeof createServer>).closeAllConnections();
    }
  });

  const order = { user_id: 'alice', amount: '1.00' };
  const key = () => ({ 'idempotency-key': randomUUID() });
  const paths = ['/accounts/alice', '/orders?user_id=alice', `/orders/${randomUUID()}/events`];
  const reads = (url: string) => paths.map((path) => ask(url + path));
  const writes = (url: string, headers: Record<string, string>[]) =>
    headers.map((own) => ask(`${url}/orders`, { body: order, headers: own }));

  it('says that a service is away when its connection is refused, and that nothing was stored', async () => {
    const url = await startGateway(await nobody());
    for (const answer of await inTime(url, reads(url))) expectAway(answer);
    for (const answer of await inTime(url, writes(url, [{}, key(), { prefer: 'wait=30' }]))) {
      expectAway(answer);
      expect(answer.body.detail).to.contain('Nothing was stored');
    }
    const ready = await ask<{ ready: boolean }>(`${url}/readyz`);
    expect([ready.status, ready.body.ready]).to.deep.equal([503, false]);
    expect((await ask(`${url}/livez`)).status).to.equal(200);
  });

  it('says so in time when a service takes the connection and never answers', async () => {
    const url = await startGateway(await silence());
    const [read, written] = await Promise.all([
      inTime(url, reads(url)),
      inTime(url, writes(url, [{}, key(), { ...key(), prefer: 'wait=30' }])),
    ]);
    for (const answer of read) expectAway(answer);
    for (const answer of written) {
      expectAway(answer, 'outcome-unknown');
      expect(answer.body.detail).to.match(/may have taken effect.*same Idempotency-Key/);
    }
  });

  it('says that nothing was stored only of writes that a slow service never saw', async () => {
    let seen = 0;
    let slows = false;
    const over = Promise.withResolvers<void>();
    const slow = await service(
      ordersListener(async (orders) => {
        seen += orders.length;
        if (slows) await over.promise;
        return orders.map(() => createdAnswer());
      }),
    );
    const url = await startGateway(slow);
    expect((await ask(`${url}/orders`, { body: order })).status).to.equal(201);
    slows = true;
    seen = 0;
    // More than the batches take that may be on their way at once: the rest is not when the time is over.
    const answers = await Promise.all(
      Array.from({ length: 1_000 }, () => ask(`${url}/orders`, { body: order })),
    ).finally(over.resolve);
    const codes = Map.groupBy(answers, ({ body }) => body.code);
    expect([...codes.keys()]).to.have.members(['outcome-unknown', 'unavailable']);
    // What was on its way when the time was over is of unknown outcome, seen or not.
    expect(codes.get('unavailable')?.length).to.be.at.most(1_000 - seen);
  });

  it('does not take the refusal of one instance for the answer of another that may still do it', async () => {
    const refusing = await service(ordersListener((orders) => orders.map(refusedAnswer)));
    const url = await startGateway(await silence(), refusing);
    // One of two begins with the instance that never answers.
    const answers = [
      await ask(`${url}/orders`, { body: order, headers: key() }),
      await ask(`${url}/orders`, { body: order, headers: key() }),
    ];
    expect(answers.map(({ status }) => status)).to.deep.equal([503, 503]);
    expect(answers.map(({ body }) => body.code)).to.have.members(['unavailable', 'outcome-unknown']);
  });

  it('asks another instance when one never answers or is not there', async () => {
    const here = await service((_request, response) => {
      response.setHeader('content-type', 'application/json').end('{"orders":[],"next_cursor":null}');
    });
    const url = await startGateway(await silence(), await nobody(), here);
    for (let count = 0; count < 6; count += 1) {
      const [answer] = await inTime(url, [ask(`${url}/orders?user_id=alice`)]);
      expect(answer?.status).to.equal(200);
    }
  });

  it('says that the outcome is unknown when a write without a key is cut off, and repeats one with a key', async () => {
    const seen: string[] = [];
    const url = await startGateway(
      await service(
        ordersListener(
          ([first]) => {
            const name = first?.headers['idempotency-key'] ?? 'POST';
            const again = seen.includes(name);
            seen.push(name);
            // The first of a kind is cut off, after it was read.
            return again ? [createdAnswer()] : undefined;
          },
          (request, response) => {
            const again = seen.includes('GET');
            seen.push('GET');
            if (!again) return request.socket.destroy();
            response.setHeader('content-type', 'application/json').end('{"orders":[]}');
          },
        ),
      ),
    );
    for (const cut of await inTime(url, writes(url, [{}]))) expectAway(cut, 'outcome-unknown');
    expect(seen).to.deep.equal(['POST']);
    const repeated = await ask(`${url}/orders`, { body: order, headers: { 'idempotency-key': 'mine' } });
    expect(repeated.status).to.equal(201);
    expect((await ask(`${url}/orders?user_id=alice`)).status).to.equal(200);
    expect(seen).to.deep.equal(['POST', 'mine', 'mine', 'GET', 'GET']);
  });

  it('says that the outcome is unknown when every repetition is cut off', async () => {
    const url = await startGateway(await service((request) => request.socket.destroy()));
    for (const answer of await inTime(url, writes(url, [key()]))) expectAway(answer, 'outcome-unknown');
    for (const answer of await inTime(url, [ask(`${url}/orders?user_id=alice`)])) expectAway(answer);
  });
});

describe('a gateway told to stop', () => {
  it('ends event streams and does not wait for their clients', async () => {
    const upstream = createServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': nothing happens\n\n');
    });
    upstream.listen(0, '127.0.0.1');
    await once(upstream, 'listening');
    const ordersUrl = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`;
    const gateway = new Daemon('gateway', { GATEWAY_PORT: '0', ORDERS_URL: ordersUrl });
    const stream = await fetch(`${await gateway.url()}/orders/${randomUUID()}/events`);
    const reader = stream.body?.getReader();
    await reader?.read();
    const told = performance.now();
    expect(await gateway.stop()).to.equal(0);
    expect(gateway.told('stopped')).to.have.length(1);
    expect(performance.now() - told).to.be.lessThan(stopMsMax / 2);
    expect((await reader?.read())?.done).to.equal(true);
    upstream.closeAllConnections();
    upstream.close();
  });
});

describe('a daemon', () => {
  const system = useSystem();

  for (const daemon of ['orders', 'payments', 'gateway'] as const) {
    it(`ends within ten seconds under load, and loses nothing: ${daemon}`, async () => {
      const { [daemon]: running, gateway } = system.runtime;
      const pid = Array.isArray(running) ? (running[0]?.pid as number) : running.pid;
      const userId = `user-${randomUUID()}`;
      const acknowledged: string[] = [];
      const started = performance.now();

      /** Writes orders one after the other, each until it is acknowledged, and watches every refusal. */
      async function client(): Promise<void> {
        while (performance.now() - started < loadMs) {
          const headers = { 'idempotency-key': randomUUID() };
          const id = await eventually(
            async () => {
              const answer = await ask<Problem & { id: string }>(`${gateway.url}/orders`, {
                body: { user_id: userId, amount: '0.01' },
                headers,
              });
              if (answer.status === 201) return answer.body.id;
              expectAway(answer, answer.body.code);
              expect(answer.ms).to.be.lessThan(awayMsMax);
              throw new Error(answer.body.detail);
            },
            { everyMs: 50 },
          );
          acknowledged.push(id);
        }
      }

      const clients = Promise.all(Array.from({ length: 30 }, client));
      await pause(loadMs / 3);
      const told = performance.now();
      process.kill(pid, 'SIGTERM');
      await eventually(() => expect(() => process.kill(pid, 0)).to.throw('ESRCH'), { withinMs: stopMsMax });
      expect(performance.now() - told).to.be.lessThan(stopMsMax);
      await clients;
      const died = () =>
        system.log.filter(({ msg, how }) => /^daemon ended/.test(String(msg)) && how === 'exit code 0');
      await eventually(() => expect(died().map((record) => record['daemon'])).to.include(daemon));

      const ids = new Set<string>();
      await eventually(
        async () => {
          ids.clear();
          for (let cursor = ''; ; ) {
            const page = await ask<{ orders: { id: string; status: string }[]; next_cursor: string | null }>(
              `${gateway.url}/orders?user_id=${userId}&limit=500${cursor}`,
            );
            for (const { id, status } of page.body.orders) {
              expect(status).to.equal('CANCELED');
              ids.add(id);
            }
            if (page.body.next_cursor === null) break;
            cursor = `&cursor=${page.body.next_cursor}`;
          }
        },
        { withinMs: 20_000, everyMs: 200 },
      );
      expect(ids).to.deep.equal(new Set(acknowledged));
      expect(acknowledged.length).to.be.greaterThan(30);
    }).timeout(60_000);
  }

  it('waits for its database, says so, becomes ready by itself, and says 503 while that is away again', async () => {
    const database = new URL(system.runtime.databases.orders);
    const proxy = new TcpProxy({ host: database.hostname, port: Number(database.port) });
    await proxy.reserve();
    database.hostname = '127.0.0.1';
    database.port = String(proxy.port);
    const orders = new Daemon('orders', {
      ORDERS_DATABASE_URL: database.href,
      BROKER_DATABASE_URL: system.runtime.databases.broker,
      ORDERS_PORT: '0',
    });
    try {
      const waiting = await orders.untilTold('waiting');
      expect(waiting).to.deep.include({ what: 'databases', service: 'orders', level: 'info' });
      expect(waiting['err']).to.have.property('code', 'ECONNREFUSED');
      expect(orders.hasExited).to.equal(false);
      await proxy.open();
      await orders.untilTold('ready');
      const url = await orders.url();
      expect((await ask(`${url}/readyz`)).status).to.equal(200);

      await proxy.close();
      const headers = { [credentialHeader]: testSecret };
      const list = ask(`${url}/orders?user_id=alice`, { headers });
      for (const answer of await inTime(url, [ask(`${url}/readyz`), list])) expectAway(answer);
      const order = {
        body: { user_id: 'alice', amount: '1.00' },
        headers: { ...headers, 'idempotency-key': randomUUID() },
      };
      const refused = await ask(`${url}/orders`, order);
      expectAway(refused, refused.body.code);
      expect(refused.ms).to.be.lessThan(awayMsMax);

      await proxy.open();
      const created = await eventually(async () => {
        const answer = await ask<{ id: string }>(`${url}/orders`, order);
        expect(answer.status).to.equal(201);
        return answer.body;
      });
      await eventually(async () => {
        const { body } = await ask<{ status: string }>(`${url}/orders/${created.id}`, { headers });
        expect(body.status).to.equal('CANCELED');
      });
      expect(await orders.stop()).to.equal(0);
      expect(orders.stderr).not.to.contain(database.password || 'no password');
    } finally {
      await orders.stop();
      await proxy.close();
    }
  });

  it('ends at once when told to while it waits for its database', async () => {
    const proxy = new TcpProxy({ host: '127.0.0.1', port: 1 });
    await proxy.reserve();
    const url = `postgres://nobody:secret@127.0.0.1:${proxy.port}/nothing`;
    const payments = new Daemon('payments', { DATABASE_URL: url, PAYMENTS_PORT: '0' });
    await payments.untilTold('waiting');
    expect(await payments.stop()).to.equal(0);
    expect(payments.stderr).not.to.contain('secret');
  });
});
