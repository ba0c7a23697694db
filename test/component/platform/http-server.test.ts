import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect } from 'chai';
import { createHttpServer, listen } from '../../../src/platform/http-server.ts';
import { eventually } from '../../support/eventually.ts';
import { silentLog } from '../../support/test-server.ts';

/** Far above what it takes, far below the 65 s for which a client may keep a connection open. */
const closeMsMax = 5_000;

/** Longer than a connection may be silent. */
const busyMs = 6_500;

describe('an HTTP server that is too busy to read', () => {
  it('serves what arrived in time, however late it gets to it', async function () {
    this.timeout(90_000);
    const app = createHttpServer({ log: silentLog, bodies: 'json' });
    const { port } = new URL(await listen(app, '127.0.0.1', 0));
    const accepted = once(app.server, 'connection');
    const socket = connect(Number(port), '127.0.0.1').setEncoding('utf8');
    await accepted;
    socket.write('GET /livez HTTP/1.1\r\nHost: x\r\n\r\n');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, busyMs);
    const [answer] = await once(socket, 'data');
    expect(answer).to.match(/^HTTP\/1.1 200 /);
    socket.destroy();
    await app.close();
  });

  it('refuses who was silent all the time, and reads nothing from them any more', async function () {
    this.timeout(90_000);
    const app = createHttpServer({ log: silentLog, bodies: 'json' });
    let served = 0;
    app.get('/work', () => {
      served += 1;
      return {};
    });
    const { port } = new URL(await listen(app, '127.0.0.1', 0));
    const socket = connect(Number(port), '127.0.0.1').setEncoding('utf8');
    socket.on('error', () => {});
    const [answer] = await once(socket, 'data');
    socket.write('GET /work HTTP/1.1\r\nHost: x\r\n\r\n');
    expect(answer).to.match(/^HTTP\/1.1 408 /);
    await once(socket, 'close');
    await app.close();
    expect(served).to.equal(0);
  });
});

describe('an HTTP server that closes', () => {
  const request = 'GET /slow HTTP/1.1\r\nHost: x\r\n\r\n';

  /** A server with a route that answers when told to. */
  async function startServer() {
    const app = createHttpServer({ log: silentLog, bodies: 'json' });
    const slow = Promise.withResolvers<{ served: boolean }>();
    const asked = Promise.withResolvers<void>();
    app.get('/slow', () => {
      asked.resolve();
      return slow.promise;
    });
    const { port } = new URL(await listen(app, '127.0.0.1', 0));
    const open = async () => {
      const socket = connect(Number(port), '127.0.0.1').setEncoding('utf8');
      await once(socket, 'connect');
      return socket;
    };
    const answerAll = () => slow.resolve({ served: true });
    return { app, open, asked: asked.promise, answerAll };
  }

  async function received(socket: Socket): Promise<string> {
    let text = '';
    for await (const part of socket) text += part;
    return text;
  }

  it('serves what is under way, says that it is the last answer, and waits for no open connection', async () => {
    const { app, open, asked, answerAll } = await startServer();
    const unused = await open();
    const busy = await open();
    busy.write(request);
    await asked;
    const started = performance.now();
    const closed = app.close();
    const answer = received(busy);
    await eventually(() => expect(app.server.listening).to.equal(false));
    answerAll();
    expect(await answer)
      .to.match(/^HTTP\/1.1 200 /)
      .and.match(/^connection: close\r$/im);
    await closed;
    expect(performance.now() - started).to.be.lessThan(closeMsMax);
    expect(await received(unused)).to.equal('');
  });

  it('serves a request that had begun to arrive', async () => {
    const { app, open, answerAll } = await startServer();
    const socket = await open();
    socket.write(request.slice(0, 10));
    const other = await open();
    other.write('GET /livez HTTP/1.1\r\nHost: x\r\n\r\n');
    // Read in turn: when the other has its answer, the first bytes of this one are there too.
    await once(other, 'data');
    const closed = app.close();
    await eventually(() => expect(app.server.listening).to.equal(false));
    answerAll();
    socket.write(request.slice(10));
    expect(await received(socket))
      .to.match(/^HTTP\/1.1 200 /)
      .and.contain('{"served":true}');
    await closed;
  });
});
