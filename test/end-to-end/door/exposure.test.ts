import { randomUUID } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { request } from 'node:https';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { principalHeaderName } from '../../../src/platform/identity/gateway-credential.ts';
import type { EphemeralDatabases } from '../../../src/system/ephemeral-databases.ts';
import { freshHome } from '../../component/cli/run-tillbox.ts';
import { makeCertificate } from '../../support/certificate.ts';
import { Daemon } from '../../support/daemon.ts';
import { databaseVariables } from '../../support/database-variables.ts';
import { sendRequest } from '../../support/raw-request.ts';
import { anyPorts, RunningSystem, runTillbox, useSystem } from '../../support/running-system.ts';
import { createTestDatabases } from '../../support/test-server.ts';
import { claimsFor, sign, testSecret } from '../../support/tokens.ts';

const known = { TILLBOX_AUTH_SECRET: testSecret, TILLBOX_GATEWAY_SECRET: testSecret };

describe('a gateway asked to listen to other machines', () => {
  const home = freshHome();
  after(() => home.remove());

  for (const words of [
    ['serve', 'gateway'],
    ['up', '--ephemeral'],
  ]) {
    it(`does not start without an identity and a safe line, and says what to set: ${words[0]}`, async () => {
      const env = { GATEWAY_HOST: '0.0.0.0', GATEWAY_PORT: '0' };
      const { code, stderr } = await runTillbox(words, { home: home.home, env });
      expect(code).to.equal(2);
      expect(stderr)
        .to.contain('TILLBOX_AUTH_SECRET')
        .and.contain('TILLBOX_TLS_CERT')
        .and.contain('TILLBOX_TRUST_PROXY');
    });
  }

  it('does not start open behind a proxy of this machine: everybody would come from here', async () => {
    const env = { GATEWAY_PORT: '0', TILLBOX_TRUST_PROXY: '127.0.0.1' };
    const { code, stderr } = await runTillbox(['serve', 'gateway'], { home: home.home, env });
    expect(code).to.equal(2);
    expect(stderr).to.contain('TILLBOX_TRUST_PROXY').and.contain('TILLBOX_AUTH_SECRET');
  });

  it('does not start with a certificate that cannot be read', async () => {
    const env = {
      ...known,
      GATEWAY_HOST: '0.0.0.0',
      GATEWAY_PORT: '0',
      TILLBOX_TLS_CERT: '/nowhere',
      TILLBOX_TLS_KEY: '/nowhere',
    };
    const { code, stderr } = await runTillbox(['serve', 'gateway'], { home: home.home, env });
    expect([code, stderr.includes('TILLBOX_TLS_CERT')]).to.deep.equal([2, true]);
  });
});

describe('a gateway with a certificate', () => {
  let system: RunningSystem;
  let files: ReturnType<typeof makeCertificate>;
  before(async function () {
    this.timeout(90_000);
    files = makeCertificate();
    system = new RunningSystem([], {
      GATEWAY_HOST: '0.0.0.0',
      TILLBOX_AUTH_SECRET: testSecret,
      TILLBOX_ALLOWED_HOSTS: 'shop.example',
      TILLBOX_TLS_CERT: files.certificate,
      TILLBOX_TLS_KEY: files.key,
    });
    await system.start();
  });
  after(async function () {
    this.timeout(60_000);
    await system?.stop();
    files?.remove();
  });

  /** Asks by the name in the certificate. */
  function get(path: string, headers: Record<string, string>) {
    const options = {
      host: '127.0.0.1',
      port: new URL(system.url).port,
      path,
      headers,
      servername: 'shop.example',
      agent: false,
    };
    return new Promise<{ status: number | undefined; hsts: unknown }>((resolve, reject) => {
      request({ ...options, ca: readFileSync(files.certificate) }, (answer) => {
        answer.resume();
        resolve({ status: answer.statusCode, hsts: answer.headers['strict-transport-security'] });
      })
        .on('error', reject)
        .end();
    });
  }

  it('speaks TLS alone, and says so for the future', async () => {
    const token = await sign(claimsFor('ops', { scope: 'operator' }), testSecret);
    const { status, hsts } = await get('/accounts/alice', {
      host: 'shop.example',
      authorization: `Bearer ${token}`,
    });
    expect(status).to.equal(404);
    expect(hsts).to.equal('max-age=31536000');
    expect((await get('/accounts/alice', { host: 'shop.example' })).status).to.equal(401);
    const plain = await fetch(system.url.replace('https:', 'http:')).catch(() => undefined);
    expect(plain?.status).to.equal(undefined);
  });

  it('is known to the command line of its own machine by that very certificate', async () => {
    expect((await system.run(['create-account', 'alice'])).code).to.equal(0);
    expect((await system.json<{ gateway: object }>(['status'])).gateway).to.deep.include({ ready: true });
    // The same address, but nothing that says which certificate it must be.
    const env = { TILLBOX_URL: system.url.replace('127.0.0.1', 'localhost'), TILLBOX_TOKEN: 'a.b.c' };
    expect((await system.run(['balance', 'alice'], { env })).code).to.equal(7);
  });
});

describe('a gateway behind a proxy', () => {
  const gateways: Daemon[] = [];
  const start = async (environment: Record<string, string>) => {
    const daemon = new Daemon('gateway', { GATEWAY_PORT: '0', ...environment });
    gateways.push(daemon);
    return (await daemon.url()).replace('0.0.0.0', '127.0.0.1');
  };
  afterEach(() => Promise.all(gateways.splice(0).map((gateway) => gateway.stop())));

  it('counts clients by what the proxy says of them, and believes nobody else', async () => {
    const environment = { TILLBOX_TRUST_PROXY: '127.0.0.1', TILLBOX_RATE_PER_ADDRESS: '1', ...known };
    const url = await start({ GATEWAY_HOST: '0.0.0.0', ...environment });
    const from = async (...chain: string[]) =>
      (await fetch(`${url}/accounts/alice`, { headers: { 'x-forwarded-for': chain.join(', ') } })).status;
    // A client in front of the proxy may write what it likes: it stays the one the proxy saw.
    const spoofed = Array.from({ length: 20 }, (_, index) => from(`198.51.100.${index}`, '203.0.113.1'));
    const refused = (await Promise.all(spoofed)).filter((status) => status === 429);
    expect(refused.length).to.be.greaterThan(9);
    expect(await from('203.0.113.2')).to.equal(401);
  });

  it('limits who comes by a proxy of its own machine, whatever that writes of them', async () => {
    const url = await start({ TILLBOX_TRUST_PROXY: '127.0.0.1', ...known });
    const limitFor = async (chain: string) =>
      (await fetch(`${url}/openapi.json`, { headers: { 'x-forwarded-for': chain } })).headers.has(
        'ratelimit',
      );
    for (const chain of ['203.0.113.9', '203.0.113.9:4711', '[2001:db8::1]:443', '203.0.113.9,', 'unknown'])
      expect([chain, await limitFor(chain)]).to.deep.equal([chain, true]);
  });

  it('lets in its own machine by the address it is bound to, as the command line comes', async function () {
    const address = ownAddress();
    if (address === undefined) return this.skip();
    const url = await start({ GATEWAY_HOST: address, TILLBOX_TRUST_PROXY: '10.99.0.1', ...known });
    // Not 403, go round by the proxy, but 401: who are you?
    expect((await fetch(`${url}/accounts/bob`)).status).to.equal(401);
  });
});

/** An address of this machine that is not loopback; undefined where it has none. */
function ownAddress(): string | undefined {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.find(({ internal, family }) => !internal && family === 'IPv4')?.address;
}

describe('a gateway on this machine', () => {
  const system = useSystem([], { TILLBOX_CORS_ORIGINS: 'https://shop.example' });
  const ask = (headers: [string, string][], method = 'GET') =>
    sendRequest(system.url, { method, path: '/accounts/alice', headers });

  it('asks nobody who they are', async () => {
    expect((await system.post('/accounts', { user_id: 'alice' })).status).to.equal(201);
    expect((await system.get('/accounts/alice')).status).to.equal(200);
  });

  it('still believes no forged token, and holds a user to their own', async () => {
    const { stdout } = await system.run(['token', 'alice']);
    const alice = { authorization: `Bearer ${stdout.trim()}` };
    expect((await system.get('/accounts/alice', alice)).status).to.equal(200);
    expect((await system.get('/accounts/bob', alice)).status).to.equal(404);
    const forged = { authorization: `Bearer ${await sign(claimsFor('alice'), testSecret)}` };
    expect((await system.get('/accounts/alice', forged)).status).to.equal(401);
  });

  it('answers to no name that a page could have rebound to it', async () => {
    const { port } = new URL(system.url);
    const raw = (host: string) =>
      sendRequest(system.url, { method: 'GET', path: '/accounts/alice', headers: [['X-Test', '1']], host });
    // In a local network a name without a dot is whoever's answers first.
    const names = [`evil.example:${port}`, 'evil.example', '127.0.0.1.evil.example', `attackerpc:${port}`];
    for (const host of names) {
      const { status, text } = await raw(host);
      expect([host, status, JSON.parse(text).code]).to.deep.equal([host, 421, 'misdirected']);
    }
    for (const host of [`localhost:${port}`, `127.0.0.1:${port}`, 'shop.localhost'])
      expect((await raw(host)).status).to.equal(200);
  });

  it('tells a page of another origin nothing, but for those that are configured', async () => {
    const evil = await ask([['Origin', 'https://evil.example']]);
    expect(evil.headers['access-control-allow-origin']).to.equal(undefined);
    const shop = await ask([['Origin', 'https://shop.example']]);
    expect(shop.headers['access-control-allow-origin']).to.equal('https://shop.example');
    const asking = (origin: string): [string, string][] => [
      ['Origin', origin],
      ['Access-Control-Request-Method', 'POST'],
    ];
    expect((await ask(asking('https://evil.example'), 'OPTIONS')).status).to.equal(405);
    expect((await ask(asking('https://shop.example'), 'OPTIONS')).status).to.equal(204);
  });

  it('takes nothing that a page can send without asking: JSON alone', async () => {
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      '',
    ]) {
      const headers = type === '' ? {} : { 'content-type': type };
      const body = new Blob(['{"user_id":"mallory"}']);
      const { status } = await fetch(`${system.url}/accounts`, { method: 'POST', headers, body });
      expect([type, status]).to.deep.equal([type, 415]);
    }
  });
});

describe('daemons started one by one', () => {
  const folder = freshHome();
  const started: Daemon[] = [];
  let databases: EphemeralDatabases;
  before(async () => {
    databases = await createTestDatabases();
  });
  after(async () => {
    await Promise.all(started.map((daemon) => daemon.stop()));
    await databases.drop();
    folder.remove();
  });

  /** Starts one that is told of no secret; answers its URL. */
  const start = (service: 'gateway' | 'orders', home: string, variables: Record<string, string>) => {
    const port = { [`${service.toUpperCase()}_PORT`]: '0' };
    const unset = { TILLBOX_GATEWAY_SECRET: '' };
    const daemon = new Daemon(service, {
      ...port,
      ...unset,
      TILLBOX_HOME: join(folder.home, home),
      ...variables,
    });
    started.push(daemon);
    return daemon.url();
  };
  const read = async (url: string) => {
    const answer = await fetch(`${url}/orders/${randomUUID()}`, {
      headers: { [principalHeaderName]: 'operator' },
    });
    return { status: answer.status, body: (await answer.json()) as { code: string; detail: string } };
  };

  it('know each other by a secret of their home, and believe nobody else', async () => {
    const orders = await start('orders', 'shop', databaseVariables(databases.urls));
    expect(statSync(join(folder.home, 'shop', 'gateway-secret')).mode & 0o777).to.equal(0o600);
    expect((await read(orders)).status).to.equal(401);
    const gateway = await start('gateway', 'shop', { ORDERS_URL: orders });
    expect((await read(gateway)).body.code).to.equal('order-not-found');
    // Of another home: it is told to nobody as a fault of theirs.
    const stranger = await start('gateway', 'elsewhere', { ORDERS_URL: orders });
    const refused = await read(stranger);
    expect([refused.status, refused.body.code]).to.deep.equal([503, 'unavailable']);
    expect(refused.body.detail).to.contain('TILLBOX_GATEWAY_SECRET');
  });

  it('do not start where there is none, and none can be kept', async () => {
    for (const [service, variables] of [
      ['gateway', {}],
      ['orders', databaseVariables(databases.urls)],
    ] as const) {
      const home = '/dev/null/home';
      const { code, stderr } = await runTillbox(['serve', service], {
        home,
        env: { ...anyPorts, ...variables },
      });
      expect([service, code, stderr.includes('TILLBOX_GATEWAY_SECRET')]).to.deep.equal([service, 2, true]);
    }
  });
});
