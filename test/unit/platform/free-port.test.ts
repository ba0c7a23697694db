import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { expect } from 'chai';
import { canListen, freePort, portsToTry } from '../../../src/platform/free-port.ts';

const linux = { first: 32_768, last: 60_999 };

describe('a free port', () => {
  it('is none that an outgoing connection could be given', () => {
    for (const outgoing of [linux, { first: 49_152, last: 65_535 }, { first: 1_024, last: 40_000 }]) {
      const ports = portsToTry(4_711, outgoing);
      expect(ports).to.have.length.greaterThan(4_000);
      expect(ports.filter((port) => port >= outgoing.first && port <= outgoing.last)).to.deep.equal([]);
      expect(Math.min(...ports)).to.be.at.least(20_000);
      expect(Math.max(...ports)).to.be.at.most(65_535);
      expect(new Set(ports).size).to.equal(ports.length);
    }
  });

  it('is another one for each of the processes that ask at the same moment', () => {
    const chosen = Array.from({ length: 300 }, (_, index) =>
      portsToTry(9_000 + index, linux).slice(0, 32),
    ).flat();
    expect(new Set(chosen).size).to.equal(chosen.length);
  });

  it('is any that the system gives when connections may be given all', async () => {
    expect(portsToTry(1, { first: 1_024, last: 65_535 })).to.deep.equal([]);
  });

  it('is never the same twice, and skips those taken', async () => {
    const first = await freePort('127.0.0.1');
    const second = await freePort('127.0.0.1');
    expect(second).not.to.equal(first);
    const ports = portsToTry(process.pid, linux);
    const next = ports[(ports.indexOf(second) + 1) % ports.length] as number;
    const occupant = createServer().listen(next, '127.0.0.1');
    await once(occupant, 'listening');
    expect(await freePort('127.0.0.1')).not.to.be.oneOf([first, second, next]);
    occupant.close();
  });

  it('would not be free with an outgoing connection on it', async () => {
    const server = createServer().listen(await freePort('127.0.0.1'), '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const connection = connect(port, '127.0.0.1');
    await once(connection, 'connect');
    expect(await canListen('127.0.0.1', connection.localPort as number)).to.equal(false);
    connection.destroy();
    server.close();
  });
});
