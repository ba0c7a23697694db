import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { Gateway } from '../../../src/gateway/daemon.ts';
import { readConfig } from '../../../src/platform/config.ts';
import { Metered } from '../../support/metered.ts';
import { silentLog } from '../../support/test-server.ts';

describe('a gateway that is measured', () => {
  it('is ready as long as each service has an instance that is', async () => {
    const metered = new Metered();
    let ready = false;
    const service = createServer((_request, response) =>
      response.setHeader('content-type', 'application/json').end(JSON.stringify({ ready })),
    ).listen(0, '127.0.0.1');
    await once(service, 'listening');
    const urls = [`http://127.0.0.1:${(service.address() as AddressInfo).port}`];
    const { door } = readConfig({});
    const settings = { host: '127.0.0.1', port: 0, ordersUrls: urls, paymentsUrls: urls, door };
    const gateway = new Gateway({ ...settings, meter: metered.meter, log: silentLog });
    try {
      await gateway.start();
      expect(await metered.read('tillbox.ready')).to.deep.equal({ '': 0 });
      ready = true;
      expect(await metered.read('tillbox.ready')).to.deep.equal({ '': 1 });
      service.close().closeAllConnections();
      expect(await metered.read('tillbox.ready')).to.deep.equal({ '': 0 });
    } finally {
      await gateway.stop();
      service.close().closeAllConnections();
      await metered.close();
    }
  });
});
