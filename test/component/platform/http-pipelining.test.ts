import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { expect } from 'chai';
import { limitPipelining } from '../../../src/platform/http-pipelining.ts';
import { eventually } from '../../support/eventually.ts';

describe('the requests that a connection may have unanswered', () => {
  let server: Server;
  const sockets: Socket[] = [];
  const held: ServerResponse[] = [];
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
    held.splice(0);
    server.closeAllConnections();
    server.close();
  });

  /** A server that holds every answer back until `release`. */
  async function start(limits: { each: number; inTurn: number }): Promise<void> {
    server = createServer(limitPipelining(limits), (_request, response) => void held.push(response));
    await once(server.listen(0, '127.0.0.1'), 'listening');
  }

  function open(): Socket {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
      .setEncoding('utf8')
      .resume();
    sockets.push(socket.on('error', () => {}));
    return socket;
  }
  const send = (socket: Socket, count: number) =>
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(count));
  const release = () => {
    for (const response of held.splice(0)) response.end('served');
  };

  it('are so many and no more: it is closed with the next, and what follows is not read', async () => {
    await start({ each: 3, inTurn: 1_000 });
    const [greedy, modest] = [open(), open()];
    const closed = once(greedy, 'close');
    send(greedy, 500);
    await closed;
    expect(held).to.have.length(3);
    send(modest, 3);
    await eventually(() => expect(held).to.have.length(6));
    let answers = '';
    modest.on('data', (text) => {
      answers += text;
    });
    release();
    await eventually(() => expect(answers.match(/served/g)).to.have.length(3));
    // What is answered does not count any more.
    send(modest, 3);
    await eventually(() => expect(held).to.have.length(3));
  });

  it('are one for each connection once many have come in one turn', async () => {
    await start({ each: 10, inTurn: 12 });
    const all = [open(), open(), open()];
    await eventually(async () => {
      const count = await new Promise((resolve) =>
        server.getConnections((_error, number) => resolve(number)),
      );
      expect(count).to.equal(3);
    });
    // Written in one turn of this process, which is the server's too: so they are read in one.
    for (const socket of all) send(socket, 8);
    await Promise.all(all.slice(1).map((socket) => once(socket, 'close')));
    expect(held).to.have.length(13);
    expect(all[0]?.destroyed).to.equal(false);
  });
});
