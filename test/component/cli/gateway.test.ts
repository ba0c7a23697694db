import { expect } from 'chai';
import { Gateway } from '../../../src/cli/gateway/gateway.ts';
import type { CodedError } from '../../../src/platform/errors.ts';
import {
  cut,
  type FakeGateway,
  json,
  problem,
  startFakeGateway,
  startFakeGatewayAt,
} from './fake-gateway.ts';

describe('the gateway as commands use it', () => {
  let server: FakeGateway | undefined;
  afterEach(() => server?.stop());

  const closedUrl = async () => {
    const closed = await startFakeGateway(cut);
    await closed.stop();
    return closed.url;
  };
  const failureOf = (promise: Promise<unknown>) =>
    promise.then(
      () => undefined,
      (error: CodedError) => error.code,
    );

  it('is waited for when it refuses connections but is being started again', async () => {
    const url = await closedUrl();
    const gateway = new Gateway({ url }, async () => {
      server ??= await startFakeGatewayAt(Number(new URL(url).port), [json(200, { balance: '1.00' })]);
      return true;
    });
    expect(await gateway.get('/accounts/alice')).to.deep.equal({ balance: '1.00' });
  });

  it('is given up at once when it refuses connections and nobody starts it', async () => {
    let asked = 0;
    const gateway = new Gateway({ url: await closedUrl() }, async () => {
      asked += 1;
      return false;
    });
    expect(await failureOf(gateway.post('/orders', {}, 'k'))).to.equal('unavailable');
    expect(asked).to.equal(1);
  });

  it('is not asked again after a refusal', async () => {
    server = await startFakeGateway(problem(404, 'account-not-found'));
    const gateway = new Gateway({ url: server.url }, async () => false);
    expect(await failureOf(gateway.get('/accounts/alice'))).to.equal('account-not-found');
    expect(server.requests).to.have.length(1);
  });

  it('is not waited for when it asks for more time than there is', async () => {
    server = await startFakeGateway((response) => {
      const body = JSON.stringify({ code: 'unavailable', detail: 'Later.' });
      response.writeHead(503, { 'retry-after': '3600' }).end(body);
    });
    const gateway = new Gateway({ url: server.url }, async () => false);
    expect(await failureOf(gateway.get('/accounts/alice'))).to.equal('unavailable');
    expect(server.requests).to.have.length(1);
  });

  it('may stand behind a path', async () => {
    server = await startFakeGateway(json(200, {}));
    await new Gateway({ url: `${server.url}/shop` }, async () => false).get('/accounts/alice');
    expect(server.requests[0]?.path).to.equal('/shop/accounts/alice');
  });
});
