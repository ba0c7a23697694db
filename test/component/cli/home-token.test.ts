import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { readConfig } from '../../../src/platform/config.ts';
import { writeLocalToken } from '../../../src/system/local-identity.ts';
import { freshHome, runTillbox } from './run-tillbox.ts';

describe('the token of a home', () => {
  const { home, remove } = freshHome();
  before(() => writeLocalToken(readConfig({ TILLBOX_HOME: home })));
  after(remove);

  it('is not sent to whoever listens where no system of that home runs', async () => {
    const sent: (string | undefined)[] = [];
    const stranger = createServer((request, response) => {
      sent.push(request.headers.authorization);
      response.writeHead(401, { 'content-type': 'application/problem+json' });
      response.end(JSON.stringify({ status: 401, code: 'unauthenticated', detail: 'Who are you?' }));
    });
    await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve));
    const environment = {
      TILLBOX_HOME: home,
      GATEWAY_PORT: String((stranger.address() as AddressInfo).port),
    };
    try {
      const { code } = await runTillbox(['balance', 'alice'], environment);
      expect([code, sent]).to.deep.equal([4, [undefined]]);
      await runTillbox(['status'], environment);
      expect(sent.length).to.be.greaterThan(1);
      expect(sent.filter(Boolean)).to.deep.equal([]);
    } finally {
      stranger.close();
    }
  });
});
