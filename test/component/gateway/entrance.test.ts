import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { expect } from 'chai';
import { Gateway } from '../../../src/gateway/daemon.ts';
import { readConfig } from '../../../src/platform/config.ts';
import { eventually } from '../../support/eventually.ts';
import { sendBytes } from '../../support/raw-request.ts';
import { silentLog } from '../../support/test-server.ts';
import { claimsFor, sign, testSecret } from '../../support/tokens.ts';

/** Of the service behind: what a page of orders can come to. */
const page = Buffer.alloc(1_000_000, ' ');

describe('a gateway in process', () => {
  let service: Server;
  let gateway: Gateway;
  let url: string;
  /** Requests that the service is answering, and those it has answered. */
  const asked = { now: 0, most: 0, done: 0 };
  const sockets: Socket[] = [];

  async function start(variables: Record<string, string>): Promise<void> {
    Object.assign(asked, { now: 0, most: 0, done: 0 });
    service = createServer((request, response) => {
      asked.now += 1;
      asked.most = Math.max(asked.most, asked.now);
      response.once('close', () => {
        asked.now -= 1;
        asked.done += 1;
      });
      response.setHeader('content-type', 'application/json');
      response.end(request.url?.startsWith('/orders?user_id=greedy') ? page : '{}');
    });
    await once(service.listen(0, '127.0.0.1'), 'listening');
    const urls = [`http://127.0.0.1:${(service.address() as AddressInfo).port}`];
    const { door } = readConfig(variables);
    const settings = { host: '127.0.0.1', port: 0, ordersUrls: urls, paymentsUrls: urls, door };
    gateway = new Gateway({ ...settings, log: silentLog });
    url = await gateway.start();
  }
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await gateway.stop();
    service.closeAllConnections();
    service.close();
  });

  /** Opens a connection and sends; nothing of the answers is read. */
  function sendUnread(bytes: string): Socket {
    const { hostname, port } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port) }).on('error', () => {});
    sockets.push(socket);
    socket.write(bytes);
    return socket;
  }

  for (const [what, bytes, status] of [
    ['a path that cannot be read', 'GET /% HTTP/1.1\r\nHost: localhost', 400],
    ['a path that is too long', `GET /accounts/${'a'.repeat(4_200)} HTTP/1.1\r\nHost: localhost`, 414],
    ['an expectation nobody knows', 'GET /nothing HTTP/1.1\r\nHost: localhost\r\nExpect: more', 404],
    ['no Host', 'GET /accounts/alice HTTP/1.1', 400],
    ['another host', 'GET /accounts/alice HTTP/1.1\r\nHost: evil.example', 421],
  ] as const) {
    it(`counts a request with ${what} by its address, and answers it as any other`, async () => {
      await start({ TILLBOX_RATE_PER_ADDRESS: '3' });
      const answers = [];
      for (let sent = 0; sent < 4; sent += 1) {
        answers.push(await sendBytes(url, `${bytes}\r\nConnection: close\r\n\r\n`));
      }
      expect(answers.map((answer) => answer.status)).to.deep.equal([status, status, status, 429]);
      for (const { headers } of answers) {
        expect(headers['content-type']).to.equal('application/problem+json');
        expect(headers['x-request-id']).to.be.a('string');
      }
    });
  }

  it('needs a Host of HTTP/1.1, also for health, and none of HTTP/1.0', async () => {
    await start({});
    expect((await sendBytes(url, 'GET /accounts/alice HTTP/1.0\r\n\r\n')).status).to.equal(200);
    const health = await sendBytes(url, 'GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n');
    expect(health.status).to.equal(400);
  });

  it('keeps the services free for others, whoever leaves pages unread', async () => {
    await start({ TILLBOX_AUTH_SECRET: testSecret, TILLBOX_RATE_PER_TOKEN: '0' });
    const authorizationOf = async (user: string) =>
      `Authorization: Bearer ${await sign(claimsFor(user), testSecret)}`;
    const head = `GET /orders?user_id=greedy HTTP/1.1\r\nHost: localhost\r\n${await authorizationOf('greedy')}`;
    for (let connection = 0; connection < 3; connection += 1) sendUnread(`${head}\r\n\r\n`.repeat(60));
    // 180 pages: none of them stays at the service, and only some are there at a time.
    await eventually(() => expect(asked.done).to.equal(180), { withinMs: 20_000 });
    expect(asked.most).to.be.at.most(16);
    const modest = await sendBytes(
      url,
      `GET /orders?user_id=modest HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${await authorizationOf('modest')}\r\n\r\n`,
    );
    expect(modest.status).to.equal(200);
    // More was left unread than may be: one of them was cut off, which it sees when it reads.
    for (const socket of sockets) socket.resume();
    await eventually(() => expect(sockets.some(({ closed }) => closed)).to.equal(true));
  });
});
