import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { expect } from 'chai';
import { guardConnections } from '../../../src/gateway/connections.ts';
import { eventually } from '../../support/eventually.ts';

describe('the connections of a gateway', () => {
  const max = 2;
  let server: Server;
  const sockets: Socket[] = [];

  beforeEach(async () => {
    server = createServer((request, response) => request.resume().once('end', () => response.end('served')));
    guardConnections(server, max);
    await once(server.listen(0, '127.0.0.1'), 'listening');
  });
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    server.closeAllConnections();
    server.close();
  });

  /** Connects, and resolves when the server knows. */
  async function open(): Promise<Socket> {
    const accepted = once(server, 'connection');
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1').setEncoding('utf8');
    sockets.push(socket);
    await accepted;
    return socket;
  }

  async function ask(socket: Socket): Promise<string> {
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    const [answer] = await once(socket, 'data');
    return answer;
  }

  it('beyond their number the oldest that said nothing gives way, and is told so', async () => {
    const [oldest, other] = [await open(), await open()];
    const told = once(oldest, 'data');
    const newest = await open();
    const [answer] = await told;
    expect(answer)
      .to.match(/^HTTP\/1.1 503 /)
      .and.match(/^Retry-After: 1\r$/m)
      .and.contain('"code":"overloaded"');
    await once(oldest, 'close');
    expect(await ask(other)).to.contain('served');
    expect(await ask(newest)).to.contain('served');
  });

  it('are twice as many at most, whatever they have sent', async () => {
    const half = 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{';
    for (let count = 0; count < 2 * max; count += 1) {
      const socket = await open();
      const asked = once(server, 'request');
      socket.write(half);
      await asked;
    }
    const [refused] = await Promise.all([
      once(server, 'drop'),
      once(connect((server.address() as AddressInfo).port, '127.0.0.1').resume(), 'close'),
    ]);
    expect(refused).to.have.length(1);
    sockets[0]?.destroy();
    await eventually(async () => expect(await ask(await open())).to.contain('served'));
  });

  it('those that rest between two requests give way when none is silent', async () => {
    const [one, other] = [await open(), await open()];
    await ask(one);
    await ask(other);
    const closed = Promise.all([once(one, 'close'), once(other, 'close')]);
    expect(await ask(await open())).to.contain('served');
    await closed;
  });
});
