import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { answerMsMax, Upstreams } from '../../../src/gateway/upstreams.ts';
import { eventually } from '../../support/eventually.ts';
import { refusal } from '../../support/refusal.ts';

describe('the instances of a service', () => {
  const servers: Server[] = [];
  let upstreams: Upstreams | undefined;
  afterEach(async () => {
    await upstreams?.close();
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      server.close();
    }
  });

  /** Instances that answer so; answers how often they were asked, all together. */
  async function startInstances(listeners: readonly RequestListener[]): Promise<() => number> {
    let asked = 0;
    const urls: string[] = [];
    for (const listener of listeners) {
      const server = createServer((request, response) => {
        if (request.method === 'POST') asked += 1;
        listener(request, response);
      });
      servers.push(server);
      await once(server.listen(0, '127.0.0.1'), 'listening');
      urls.push(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    }
    upstreams = new Upstreams('orders', urls);
    return () => asked;
  }

  const post = () =>
    upstreams?.request({
      method: 'POST',
      path: '/orders',
      headers: { 'idempotency-key': 'key' },
      body: Buffer.from('{}'),
      repeatable: true,
      extraMs: 0,
    });

  it('lets a busy one take its time, however many others there are', async () => {
    const busy: RequestListener = (_request, response) =>
      void setTimeout(() => response.end('done'), answerMsMax / 4);
    const asked = await startInstances(Array.from({ length: 8 }, () => busy));
    expect((await post())?.statusCode).to.equal(200);
    expect(asked()).to.equal(1);
  });

  it('finds the one of four that does not hang, in time', async () => {
    const hanging: RequestListener = () => {};
    const asked = await startInstances([
      hanging,
      hanging,
      (_request, response) => response.end('done'),
      hanging,
    ]);
    const since = performance.now();
    expect((await post())?.statusCode).to.equal(200);
    expect(performance.now() - since).to.be.below(answerMsMax);
    expect(asked()).to.be.within(1, 4);
  });

  it('takes one that does not know this gateway for one that is away, and says so when there is no other', async () => {
    const refusing: RequestListener = (_request, response) =>
      response.writeHead(401).end('{"detail":"go away"}');
    await startInstances([refusing, (_request, response) => response.end('done')]);
    expect((await post())?.statusCode).to.equal(200);
    expect((await post())?.statusCode).to.equal(200);
    await upstreams?.close();
    await startInstances([refusing]);
    const { message } = await refusal('unavailable', async () => post());
    expect(message).to.contain('does not know this gateway').and.contain('TILLBOX_GATEWAY_SECRET');
  });

  it('says how it is at once, while more requests wait than it has connections', async () => {
    const asked = await startInstances([
      (request, response) => {
        if (request.method === 'GET') response.end('{"ready":true}');
      },
    ]);
    const waiting = Array.from({ length: 200 }, () => post()?.catch(() => {}));
    await eventually(() => expect(asked()).to.equal(128));
    const [answer] = (await upstreams?.askAll('/readyz')) ?? [];
    expect(answer).to.deep.include({ statusCode: 200, answer: { ready: true } });
    await upstreams?.close();
    await Promise.all(waiting);
  });
});
