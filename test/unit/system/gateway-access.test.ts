import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { readConfig } from '../../../src/platform/config.ts';
import { gatewayAccess } from '../../../src/system/gateway-access.ts';
import { localToken, writeLocalToken } from '../../../src/system/local-identity.ts';
import { releaseLock, takeLock } from '../../../src/system/process-lock.ts';
import { removeRuntime, writeRuntime } from '../../../src/system/runtime-file.ts';
import { freshHome } from '../../component/cli/run-tillbox.ts';
import { makeCertificate } from '../../support/certificate.ts';
import { refusal } from '../../support/refusal.ts';

describe('the way to the gateway', () => {
  const { home, remove } = freshHome();
  const own = 'http://127.0.0.1:7999';
  let token: string | undefined;
  const accessWith = (environment: Record<string, string> = {}) =>
    gatewayAccess(readConfig({ TILLBOX_HOME: home, GATEWAY_PORT: '7420', ...environment }));
  const leaveRuntime = (pid: number) =>
    writeRuntime(home, {
      pid,
      gateway: { url: own, pid: 1 },
      orders: [],
      payments: [],
      databases: { orders: '', payments: '', broker: '' },
      embedded: true,
      ephemeral: false,
      dataFolder: null,
    });
  before(async () => {
    await writeLocalToken(readConfig({ TILLBOX_HOME: home }));
    token = localToken(home);
    expect(token).to.be.a('string');
  });
  afterEach(() => {
    releaseLock(home);
    removeRuntime(home);
  });
  after(remove);

  it("takes the home's token to the system that runs there, and nowhere else", () => {
    expect(takeLock(home)).to.equal(undefined);
    leaveRuntime(process.pid);
    expect(accessWith()).to.include({ url: own, token });
    expect(accessWith({ TILLBOX_URL: own })).to.include({ url: own, token });
    const elsewhere = { TILLBOX_URL: 'http://127.0.0.1:7998' };
    expect(accessWith(elsewhere)).to.include({ url: elsewhere.TILLBOX_URL, token: undefined });
  });

  it("takes the home's token nowhere while no system runs there", () => {
    expect(accessWith()).to.include({ url: 'http://127.0.0.1:7420', token: undefined });
    expect(accessWith({ TILLBOX_URL: own }).token).to.equal(undefined);
  });

  it("takes the home's token not to where a system was that was killed", () => {
    leaveRuntime(process.pid);
    expect(accessWith()).to.include({ url: own, token: undefined });
    writeFileSync(join(home, 'up.lock'), JSON.stringify({ pid: process.pid, startedAt: 'long ago' }));
    expect(accessWith().token).to.equal(undefined);
  });

  it('takes it not there while another one starts, which has not said yet where it is', () => {
    expect(takeLock(home)).to.equal(undefined);
    leaveRuntime(process.pid + 1);
    expect(accessWith()).to.include({ url: own, token: undefined });
  });

  it('takes TILLBOX_TOKEN where it is told to', () => {
    expect(accessWith({ TILLBOX_TOKEN: 'a.b.c' }).token).to.equal('a.b.c');
    expect(accessWith({ TILLBOX_TOKEN: 'a.b.c', TILLBOX_URL: 'http://127.0.0.1:1' }).token).to.equal('a.b.c');
  });

  describe('where a certificate is configured', () => {
    const files = makeCertificate();
    const tls = { TILLBOX_TLS_CERT: files.certificate, TILLBOX_TLS_KEY: files.key };
    after(() => files.remove());

    it('is by TLS, and that certificate alone counts', () => {
      expect(accessWith({ GATEWAY_HOST: '192.0.2.2', ...tls })).to.deep.equal({
        url: 'https://192.0.2.2:7420',
        token: undefined,
        certificate: readFileSync(files.certificate, 'utf8'),
      });
      expect(accessWith({ TILLBOX_URL: 'https://shop.example', ...tls }).certificate).to.equal(undefined);
    });

    it('says so of one that is none', async () => {
      const { message } = await refusal('usage', () =>
        accessWith({ ...tls, TILLBOX_TLS_CERT: join(home, 'token') }),
      );
      expect(message).to.contain('TILLBOX_TLS_CERT');
    });
  });
});
