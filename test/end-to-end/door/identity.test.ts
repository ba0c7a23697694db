import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { type Route, routes } from '../../../src/gateway/routes.ts';
import { credentialHeader, principalHeaderName } from '../../../src/platform/identity/gateway-credential.ts';
import { freshHome } from '../../component/cli/run-tillbox.ts';
import { RunningSystem, runTillbox } from '../../support/running-system.ts';
import {
  claimsFor,
  sign,
  startTestProvider,
  type TestProvider,
  testSecret,
  unsigned,
} from '../../support/tokens.ts';

interface Problem {
  code: string;
  detail: string;
  status: number;
}
interface Answer {
  status: number;
  headers: Headers;
  body: Problem & Record<string, string>;
}

const gatewaySecret = 'what-gateway-and-services-know-each-other-by';
const parties = { iss: 'https://idp.example', aud: 'shop' };

describe('identity', () => {
  let provider: TestProvider;
  let system: RunningSystem;
  let orderOfBob = '';

  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
  const tokenOf = (subject: string, claims: object = {}) =>
    sign(claimsFor(subject, { ...parties, ...claims }), testSecret);
  const operator = async () => bearer(await tokenOf('ops', { scope: 'operator' }));

  /** Sends what a route takes, about a user and an order. */
  async function ask(
    url: string,
    route: Route,
    about: { user: string; order: string },
    headers: object,
  ): Promise<Answer> {
    const path = route.path.replace('{user_id}', about.user).replace(/\{(order_)?id\}/, about.order);
    const query = route.schema.querystring?.required?.includes('user_id') ? `?user_id=${about.user}` : '';
    const fields = { user_id: about.user, amount: '1.00' };
    const known = (route.schema.body as { properties?: object } | undefined)?.properties;
    const body = known && Object.fromEntries(Object.entries(fields).filter(([name]) => name in known));
    const answer = await fetch(`${url}${path}${query}`, {
      method: route.method,
      headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    return {
      status: answer.status,
      headers: answer.headers,
      body: text.startsWith('{') ? JSON.parse(text) : {},
    };
  }

  before(async function () {
    this.timeout(90_000);
    provider = await startTestProvider();
    system = new RunningSystem([], {
      TILLBOX_AUTH_SECRET: testSecret,
      TILLBOX_AUTH_JWKS_URL: provider.url,
      TILLBOX_AUTH_ISSUER: parties.iss,
      TILLBOX_AUTH_AUDIENCE: parties.aud,
      TILLBOX_GATEWAY_SECRET: gatewaySecret,
      TILLBOX_RATE_PER_TOKEN: '0',
    });
    await system.start();
    const headers = await operator();
    for (const user_id of ['alice', 'bob']) {
      await system.post('/accounts', { user_id }, headers);
      await system.post(`/accounts/${user_id}/topups`, { amount: '100' }, headers);
    }
    const order = await system.post<{ id: string }>('/orders', { user_id: 'bob', amount: '1' }, headers);
    orderOfBob = order.body.id;
  });
  after(async function () {
    this.timeout(60_000);
    await system.stop();
    await provider.stop();
  });

  it('lets each user have their own account and orders', async () => {
    const headers = bearer(await tokenOf('alice'));
    expect((await system.get('/accounts/alice', headers)).status).to.equal(200);
    expect((await system.get('/accounts/alice/entries', headers)).status).to.equal(200);
    const prefer = { ...headers, prefer: 'wait=20' };
    for (const options of [headers, prefer]) {
      const order = await system.post<{ id: string }>('/orders', { user_id: 'alice', amount: '1' }, options);
      expect(order.status).to.equal(201);
      expect((await system.get(`/orders/${order.body.id}`, headers)).status).to.equal(200);
    }
    const { body } = await system.get<{ orders: object[] }>('/orders?user_id=alice', headers);
    expect(body.orders).to.have.length(2);
  });

  it('lets an operator have everybody’s', async () => {
    const headers = await operator();
    expect((await system.get('/accounts/bob', headers)).status).to.equal(200);
    expect((await system.get(`/orders/${orderOfBob}`, headers)).status).to.equal(200);
  });

  it('accepts tokens of the identity provider', async () => {
    const token = await provider.sign(claimsFor('alice', parties));
    expect((await system.get('/accounts/alice', bearer(token))).status).to.equal(200);
    expect((await system.get('/accounts/bob', bearer(token))).status).to.equal(404);
  });

  for (const route of routes) {
    const name = `${route.method} ${route.path}`;

    it(`wants a token for ${name}`, async () => {
      const answer = await ask(system.url, route, { user: 'alice', order: orderOfBob }, {});
      expect(answer.status).to.equal(401);
      expect(answer.body.code).to.equal('unauthenticated');
      expect(answer.headers.get('content-type')).to.equal('application/problem+json');
      expect(answer.headers.get('www-authenticate')).to.equal('Bearer realm="tillbox"');
    });

    it(`hides from the token of another user what ${name} is about`, async () => {
      const headers = bearer(await tokenOf('alice'));
      const other = await ask(system.url, route, { user: 'bob', order: orderOfBob }, headers);
      if (route.operation === 'createAccount') {
        expect([other.status, other.body.code]).to.deep.equal([403, 'forbidden']);
        return;
      }
      expect(other.status).to.equal(404);
      // The answer is the one for what nobody ever created, but for its id.
      const nobody = { user: `nobody-${randomUUID()}`, order: String(randomUUID()) };
      const missing = await ask(system.url, route, nobody, headers);
      const text = (answer: Answer, about: typeof nobody) =>
        JSON.stringify({ ...answer.body, request_id: '' })
          .replaceAll(about.user, 'USER')
          .replaceAll(about.order, 'ORDER');
      expect(text(other, { user: 'bob', order: orderOfBob })).to.equal(text(missing, nobody));
    });

    it(`hides it in the service too, which decides by itself: ${name}`, async () => {
      const [{ url } = { url: '' }] = system.runtime[route.service];
      const headers = { [credentialHeader]: gatewaySecret, [principalHeaderName]: 'user alice' };
      const answer = await ask(url, route, { user: 'bob', order: orderOfBob }, headers);
      expect(answer.status).to.equal(route.operation === 'createAccount' ? 403 : 404);
    });

    it(`is answered by no service to who is not the gateway: ${name}`, async () => {
      const [{ url } = { url: '' }] = system.runtime[route.service];
      const forgeries = [
        {},
        { [principalHeaderName]: 'operator' },
        { [credentialHeader]: `${gatewaySecret}x`, [principalHeaderName]: 'operator' },
        { [credentialHeader]: gatewaySecret, [principalHeaderName]: 'root' },
        await operator(),
      ];
      for (const headers of forgeries) {
        const answer = await ask(url, route, { user: 'bob', order: orderOfBob }, headers);
        expect(answer.status).to.equal(401);
      }
    });
  }

  it('believes no principal that a client names', async () => {
    const headers = {
      ...bearer(await tokenOf('alice')),
      [principalHeaderName]: 'operator',
      [credentialHeader]: gatewaySecret,
    };
    expect((await system.get('/accounts/bob', headers)).status).to.equal(404);
    expect((await system.get(`/orders/${orderOfBob}`, headers)).status).to.equal(404);
    expect((await system.get('/accounts/bob', { [principalHeaderName]: 'operator' })).status).to.equal(401);
  });

  it('takes the last of two users in a body for the one meant, as the service does', async () => {
    const headers = bearer(await tokenOf('alice'));
    const twice = '{"user_id":"alice","user_id":"bob","amount":"1"}';
    expect((await system.post('/orders', twice, headers)).status).to.equal(404);
    expect((await system.get('/orders?user_id=alice&user_id=bob', headers)).status).to.equal(400);
    expect((await system.get('/accounts/b%6fb', headers)).status).to.equal(404);
    expect((await system.get('/accounts/alice%2F..%2Fbob', headers)).status).to.be.oneOf([400, 404]);
  });

  it('lets nobody use up the key that another will create their account with', async () => {
    const create = async (user: string) => {
      const headers = { ...bearer(await tokenOf(user)), 'idempotency-key': 'my-first-account' };
      const { status, headers: answered } = await system.post('/accounts', { user_id: user }, headers);
      return [user, status, answered.get('idempotent-replayed')];
    };
    expect(await create('mallory')).to.deep.equal(['mallory', 201, null]);
    expect(await create('trudy')).to.deep.equal(['trudy', 201, null]);
    expect(await create('trudy')).to.deep.equal(['trudy', 201, 'true']);
  });

  const now = Math.floor(Date.now() / 1_000);
  const forgeries: Record<string, () => string | Promise<string>> = {
    'is signed with another secret': () =>
      sign(claimsFor('alice', { ...parties, scope: 'operator' }), `x${testSecret}`),
    'has expired': () => tokenOf('alice', { exp: now - 60 }),
    'is for another audience': () => tokenOf('alice', { aud: 'mail' }),
    'is of another issuer': () => tokenOf('alice', { iss: 'tillbox' }),
    'is of alg none': () => unsigned(claimsFor('alice', parties)),
    'is signed with the public key as a secret': () =>
      sign(claimsFor('alice', { ...parties, scope: 'operator' }), provider.publicKey, {
        alg: 'HS256',
        kid: 'key-1',
      }),
    'names a key that the provider does not have': () =>
      provider.sign(claimsFor('alice', parties), { alg: 'RS256', kid: 'key-2' }),
    'is none': () => 'token',
  };
  for (const [how, forge] of Object.entries(forgeries)) {
    it(`refuses a token that ${how}`, async () => {
      const answer = await system.get<Problem>('/accounts/alice', bearer(await forge()));
      expect([answer.status, answer.body.code]).to.deep.equal([401, 'unauthenticated']);
      expect(answer.headers.get('www-authenticate')).to.contain('error="invalid_token"');
    });
  }

  it('forbids everything to a token without a scope of ours', async () => {
    const answer = await system.get<Problem>(
      '/accounts/alice',
      bearer(await tokenOf('alice', { scope: 'email' })),
    );
    expect([answer.status, answer.body.code]).to.deep.equal([403, 'forbidden']);
    expect(answer.headers.get('www-authenticate')).to.contain('error="insufficient_scope"');
  });

  it('tells anybody how it is, and only an operator what there is', async () => {
    expect((await system.get('/livez')).status).to.equal(200);
    expect((await system.get('/readyz')).body).to.deep.equal({ ready: true, service: 'gateway' });
    const user = await system.get('/readyz', bearer(await tokenOf('alice')));
    expect(user.body).to.deep.equal({ ready: true, service: 'gateway' });
    expect((await system.get('/readyz', await operator())).body).to.include.keys('pid', 'orders', 'payments');
    for (const path of ['/docs', '/docs?from=mail', '/openapi.json?v=1', '/livez?probe=1'])
      expect((await fetch(`${system.url}${path}`)).status, path).to.equal(200);
  }).timeout(10_000);

  describe('at the command line', () => {
    it('is the local operator’s, with the token that up left in the home', async () => {
      const { balance } = await system.json<{ balance: string }>(['balance', 'bob']);
      expect(balance).to.match(/^\d+\.\d\d$/);
      const { orders } = await system.json<{ orders: { instances: object[] } }>(['status']);
      expect(orders.instances).to.have.length(1);
    });

    it('is whose TILLBOX_TOKEN it is, and exits 4 for one that is refused', async () => {
      const tokenFor = async (...words: string[]) =>
        (await system.run(['token', ...words], { env: signing })).stdout.trim();
      const as = async (token: string, ...words: string[]) =>
        (await system.run(words, { env: { TILLBOX_TOKEN: token } })).code;
      const alice = await tokenFor('alice');
      expect(await as(alice, 'balance', 'alice')).to.equal(0);
      expect(await as(alice, 'balance', 'bob')).to.equal(5);
      expect(await as(alice, 'create-account', 'carol')).to.equal(4);
      expect(await as(await tokenFor('ops', '--scope', 'operator'), 'balance', 'bob')).to.equal(0);
      expect(await as(`${alice.slice(0, -4)}AAAA`, 'balance', 'alice')).to.equal(4);
    });

    it('takes what only operators are told for hidden, not for missing', async () => {
      const elsewhere = freshHome();
      const env = { TILLBOX_URL: system.url, TILLBOX_TOKEN: await tokenOf('alice') };
      const status = await runTillbox(['status'], { home: elsewhere.home, env });
      expect(status.code).to.equal(0);
      expect(status.stdout)
        .to.match(/orders +told to operators alone/)
        .and.not.contain('not ready');
      const { stdout } = await runTillbox(['doctor', '--json'], { home: elsewhere.home, env });
      const checks: { check: string; level: string }[] = JSON.parse(stdout).checks;
      const found = checks.filter(({ check }) => ['gateway', 'services', 'orders'].includes(check));
      expect(found.map(({ check, level }) => [check, level])).to.deep.equal([
        ['gateway', 'ok'],
        ['services', 'ok'],
      ]);
      elsewhere.remove();
    });

    it('follows an order with the token too', async () => {
      const { code } = await system.run(['create-order', 'bob', '1', '--wait'], {});
      expect(code).to.equal(0);
    });

    const signing = {
      TILLBOX_AUTH_SECRET: testSecret,
      TILLBOX_AUTH_ISSUER: parties.iss,
      TILLBOX_AUTH_AUDIENCE: parties.aud,
    };
  });
});
