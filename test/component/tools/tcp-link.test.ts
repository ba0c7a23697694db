import { connect, createServer, type Server, type Socket } from 'node:net';
import { expect } from 'chai';
import { TcpLink } from '../../../src/tools/chaos/tcp-link.ts';
import { eventually } from '../../support/eventually.ts';

describe('TcpLink', () => {
  /** What the server received; it answers every chunk with the same in capitals. */
  let received = '';
  let server: Server;
  let link: TcpLink;
  let linkPort = 0;
  let client: Socket;
  let answers = '';
  let closed = false;

  beforeEach(async () => {
    received = '';
    answers = '';
    closed = false;
    server = createServer((socket) => {
      socket.on('error', () => {});
      socket.setEncoding('utf8').on('data', (text: string) => {
        received += text;
        socket.write(text.toUpperCase());
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    link = new TcpLink({ host: '127.0.0.1', port });
    linkPort = await link.start();
    client = connect({ host: '127.0.0.1', port: linkPort });
    client.on('error', () => {});
    client.on('close', () => {
      closed = true;
    });
    client.setEncoding('utf8').on('data', (text: string) => {
      answers += text;
    });
  });

  afterEach(async () => {
    client.destroy();
    await link.stop();
    await new Promise((resolve) => server.close(resolve));
  });

  const becomes = (read: () => unknown, value: unknown) => eventually(() => expect(read()).to.equal(value));

  it('passes everything on in fair weather', async () => {
    client.write('hello');
    await becomes(() => answers, 'HELLO');
  });

  it('swallows one way, for good, and passes on again when healed', async () => {
    link.set({ swallow: ['down'] });
    client.write('lost');
    await becomes(() => received, 'lost');
    link.heal();
    client.write('kept');
    await becomes(() => answers, 'KEPT');
  });

  it('resets every connection', async () => {
    client.write('x');
    await becomes(() => answers, 'X');
    link.reset();
    await becomes(() => closed, true);
  });

  it('refuses new connections', async () => {
    link.set({ refuse: true });
    const other = connect({ host: '127.0.0.1', port: linkPort });
    const refused = new Promise((resolve) => {
      other.on('error', () => {});
      other.on('close', () => resolve(true));
    });
    expect(await refused).to.equal(true);
  });

  it('tells how much has felt its weather', async () => {
    link.set({ refuse: true });
    expect(link.harmed).to.equal(0);
    const other = connect({ host: '127.0.0.1', port: linkPort }).on('error', () => {});
    await new Promise((resolve) => other.on('close', resolve));
    expect(link.harmed).to.be.above(0);
    link.set({ delayMs: 1 });
    expect(link.harmed).to.equal(0);
  });

  it('loses the answer to what was asked, which takes effect', async () => {
    link.loseAnswerTo('commit');
    client.write('commit');
    await becomes(() => closed, true);
    await becomes(() => received, 'commit');
    expect(answers).to.equal('');
  });

  it('keeps the order of what it delays', async () => {
    link.set({ delayMs: 30 });
    for (const text of ['a', 'b', 'c']) client.write(text);
    await becomes(() => answers, 'ABC');
  });
});
