import { expect } from 'chai';
import { readConfig } from '../../../src/platform/config.ts';
import { isLoopback, refuseOpenDoor } from '../../../src/platform/door-config.ts';
import { refusal } from '../../support/refusal.ts';
import { testSecret } from '../../support/tokens.ts';

const doorOf = (environment: Record<string, string>) => readConfig(environment).door;
const known = { TILLBOX_AUTH_SECRET: testSecret };
const provider = {
  TILLBOX_AUTH_JWKS_URL: 'https://idp.example/keys',
  TILLBOX_AUTH_ISSUER: 'https://idp.example',
  TILLBOX_AUTH_AUDIENCE: 'shop',
};
const tls = { TILLBOX_TLS_CERT: '/cert.pem', TILLBOX_TLS_KEY: '/key.pem' };
const proxy = { TILLBOX_TRUST_PROXY: '10.0.0.0/8, ::1' };

describe('the door of a gateway', () => {
  it('may be open to this machine itself', () => {
    for (const host of ['127.0.0.1', '127.1.2.3', 'localhost', '::1']) refuseOpenDoor(host, doorOf({}));
  });

  for (const [variable, value] of [
    ['TILLBOX_TRUST_PROXY', '127.0.0.1'],
    ['TILLBOX_ALLOWED_HOSTS', 'localhost,shop.example'],
  ] as const) {
    it(`is not open on this machine either where ${variable} lets others in, and says what to set`, async () => {
      for (const host of ['127.0.0.1', 'localhost', '::1']) {
        const { message } = await refusal('usage', () => refuseOpenDoor(host, doorOf({ [variable]: value })));
        expect(message)
          .to.contain(variable)
          .and.contain('TILLBOX_AUTH_SECRET')
          .and.contain('TILLBOX_AUTH_JWKS_URL')
          .and.not.contain('TILLBOX_TLS_CERT');
        for (const identity of [known, provider])
          refuseOpenDoor(host, doorOf({ [variable]: value, ...identity }));
      }
    });
  }

  it('may be open on this machine by names that are its own', () => {
    refuseOpenDoor('127.0.0.1', doorOf({ TILLBOX_ALLOWED_HOSTS: 'localhost, 127.0.0.2, shop.localhost' }));
  });

  for (const host of ['0.0.0.0', '::', '10.0.0.5', 'shop.example', '127.example.com']) {
    it(`is not open at ${host} without knowing who asks, and says what to set`, async () => {
      const { message } = await refusal('usage', () => refuseOpenDoor(host, doorOf({ ...tls })));
      expect(message)
        .to.contain('TILLBOX_AUTH_SECRET')
        .and.contain('TILLBOX_AUTH_JWKS_URL')
        .and.not.contain('TILLBOX_TLS_CERT');
    });

    it(`is not open at ${host} without a safe line, and says what to set`, async () => {
      const { message } = await refusal('usage', () => refuseOpenDoor(host, doorOf({ ...known })));
      expect(message)
        .to.contain('TILLBOX_TLS_CERT')
        .and.contain('TILLBOX_TRUST_PROXY')
        .and.not.contain('TILLBOX_AUTH_SECRET');
    });

    it(`is open at ${host} with both`, () => {
      for (const identity of [known, provider]) {
        for (const line of [tls, proxy]) refuseOpenDoor(host, doorOf({ ...identity, ...line }));
      }
    });
  }

  it('takes loopback for what it is, and no name that looks like it', () => {
    expect(['127.0.0.1.evil.com', '::', '128.0.0.1', 'localhost.evil.com'].filter(isLoopback)).to.deep.equal(
      [],
    );
  });

  it('asks of tokens what they say by default, and of a provider what it writes', () => {
    expect(doorOf(known).secret).to.include({ issuer: 'tillbox', audience: 'tillbox' });
    expect(doorOf({ ...known, TILLBOX_AUTH_AUDIENCE: 'shop' }).secret).to.include({ audience: 'shop' });
    expect(doorOf(provider).jwks).to.deep.equal({
      jwksUrl: 'https://idp.example/keys',
      issuer: 'https://idp.example',
      audience: 'shop',
    });
  });
});
