import { mock } from 'node:test';
import { expect } from 'chai';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { BelievedTokens } from '../../../../src/platform/identity/believed-tokens.ts';
import { ownParties } from '../../../../src/platform/identity/token-sources.ts';
import { type CheckedToken, signToken, tokenCheck } from '../../../../src/platform/identity/tokens.ts';
import { refusal } from '../../../support/refusal.ts';
import {
  claimsFor,
  sign,
  startTestProvider,
  type TestProvider,
  testSecret,
  unsigned,
} from '../../../support/tokens.ts';

const secret = { secret: testSecret, ...ownParties };

describe('a check of bearer tokens', () => {
  const check = tokenCheck({ secret });

  it('knows who a token it signed itself is for', async () => {
    const token = await signToken(secret, { subject: 'alice', scope: 'user', seconds: 60 });
    const { principal, believedUntil } = await check(token);
    expect(principal).to.deep.equal({ subject: 'alice', scope: 'user' });
    expect(believedUntil - Date.now()).to.be.within(50_000, 61_000);
  });

  it('takes the widest scope of several, in either way to write them', async () => {
    const scopeOf = async (claims: object) =>
      (await check(await sign(claimsFor('ops', { ...claims }), testSecret))).principal.scope;
    expect(await scopeOf({ scope: 'openid user operator' })).to.equal('operator');
    expect(await scopeOf({ scope: 'openid user' })).to.equal('user');
    expect(await scopeOf({ scope: undefined, scp: ['user'] })).to.equal('user');
  });

  it('lets clocks differ by five seconds, and no more', async () => {
    const secondsFromNow = (seconds: number) => Math.floor(Date.now() / 1_000) + seconds;
    const alice = { subject: 'alice', scope: 'user' };
    for (const claims of [{ exp: secondsFromNow(-2) }, { nbf: secondsFromNow(4) }]) {
      expect((await check(await sign(claimsFor('alice', claims), testSecret))).principal).to.deep.equal(
        alice,
      );
    }
    for (const claims of [
      { exp: secondsFromNow(-6) },
      { nbf: secondsFromNow(7) },
      { nbf: secondsFromNow(60) },
    ]) {
      const token = await sign(claimsFor('alice', claims), testSecret);
      await refusal('unauthenticated', () => check(token));
    }
  });

  const now = Math.floor(Date.now() / 1_000);
  const forgeries: Record<string, () => string | Promise<string>> = {
    'signed with another secret': () => sign(claimsFor('alice'), `another-${testSecret}`),
    'that has expired': () => sign(claimsFor('alice', { exp: now - 60 }), testSecret),
    'that is not valid yet': () => sign(claimsFor('alice', { nbf: now + 60 }), testSecret),
    'that never expires': () => sign(claimsFor('alice', { exp: undefined }), testSecret),
    'for another audience': () => sign(claimsFor('alice', { aud: 'another' }), testSecret),
    'for no audience': () => sign(claimsFor('alice', { aud: undefined }), testSecret),
    'of another issuer': () => sign(claimsFor('alice', { iss: 'another' }), testSecret),
    'for nobody': () => sign(claimsFor('alice', { sub: undefined }), testSecret),
    'for what is no user': () => sign(claimsFor('al ice'), testSecret),
    'of alg none': () => unsigned(claimsFor('alice')),
    'of alg NONE': () => unsigned(claimsFor('alice'), 'NONE'),
    'of an algorithm that is not accepted': () => sign(claimsFor('alice'), testSecret, { alg: 'HS512' }),
    'of HS256 without a signature': () => unsigned(claimsFor('alice'), 'HS256'),
    'with other claims than were signed': async () => {
      const [head, , signature] = (await sign(claimsFor('alice'), testSecret)).split('.');
      const claims = Buffer.from(JSON.stringify(claimsFor('bob'))).toString('base64url');
      return `${head}.${claims}.${signature}`;
    },
    'that is none': () => 'a.b.c',
  };
  for (const [which, forge] of Object.entries(forgeries)) {
    it(`refuses a token ${which}, with a challenge that repeats nothing of it`, async () => {
      const token = await forge();
      const error = await refusal('unauthenticated', () => check(token));
      expect(error.headers['www-authenticate']).to.match(/^Bearer realm="tillbox", error="invalid_token"/);
      for (const part of token.split('.').filter((text) => text.length > 5)) {
        expect(JSON.stringify([error.message, error.headers])).not.to.contain(part);
      }
    });
  }

  it('refuses a good token that allows nothing here, as forbidden', async () => {
    const token = await sign(claimsFor('alice', { scope: 'openid email' }), testSecret);
    const error = await refusal('forbidden', () => check(token));
    expect(error.headers['www-authenticate']).to.contain('error="insufficient_scope"');
  });

  describe('with an identity provider', () => {
    let provider: TestProvider;
    let checkOfProvider: (token: string) => Promise<CheckedToken>;
    before(async () => {
      provider = await startTestProvider();
      checkOfProvider = tokenCheck({ secret, jwks: { jwksUrl: provider.url, ...ownParties } });
    });
    after(() => provider.stop());

    it('accepts what the provider signed, and reads its keys once for many', async () => {
      for (const user of ['alice', 'bob', 'carol']) {
        const { principal } = await checkOfProvider(await provider.sign(claimsFor(user)));
        expect(principal.subject).to.equal(user);
      }
      expect(provider.reads()).to.equal(1);
    });

    for (const alg of ['ES256', 'EdDSA']) {
      it(`accepts ${alg} too`, async () => {
        const other = await startTestProvider(alg);
        const checkOfOther = tokenCheck({ jwks: { jwksUrl: other.url, ...ownParties } });
        try {
          const { principal } = await checkOfOther(await other.sign(claimsFor('alice')));
          expect(principal.subject).to.equal('alice');
        } finally {
          await other.stop();
        }
      });
    }

    it('never takes its public key for a secret', async () => {
      for (const key of [provider.publicKey, provider.publicKey.trim()]) {
        const token = await sign(claimsFor('alice', { scope: 'operator' }), key, {
          alg: 'HS256',
          kid: 'key-1',
        });
        await refusal('unauthenticated', () => checkOfProvider(token));
      }
    });

    it('accepts no secret where none is configured', async () => {
      const only = tokenCheck({ jwks: { jwksUrl: provider.url, ...ownParties } });
      await refusal('unauthenticated', async () => only(await sign(claimsFor('alice'), testSecret)));
    });

    it('refuses its tokens for other audiences', async () => {
      await refusal('unauthenticated', async () =>
        checkOfProvider(await provider.sign(claimsFor('alice', { aud: 'mail' }))),
      );
    });

    it('fetches no keys that a token brings or names', async () => {
      const attacker = await startTestProvider();
      try {
        const { publicKey, privateKey } = await generateKeyPair('RS256', { extractable: true });
        const named = { jku: attacker.url, x5u: attacker.url, jwk: await exportJWK(publicKey) };
        const token = await new SignJWT(claimsFor('alice'))
          .setProtectedHeader({ alg: 'RS256', kid: 'key-1', ...named })
          .sign(privateKey);
        await refusal('unauthenticated', () => checkOfProvider(token));
        expect(attacker.reads()).to.equal(0);
      } finally {
        await attacker.stop();
      }
    });

    it('reads the keys again for an unknown one, but not for each of a flood of them', async () => {
      for (let count = 0; count < 20; count += 1) {
        const token = await provider.sign(claimsFor('alice'), { alg: 'RS256', kid: `key-of-${count}` });
        await refusal('unauthenticated', () => checkOfProvider(token));
      }
      expect(provider.reads()).to.be.lessThan(4);
    });

    it('is believed for five minutes since the keys were read, however late a token came', async () => {
      const minuteMs = 60_000;
      const start = Date.UTC(2027, 0, 1);
      mock.timers.enable({ apis: ['Date'], now: start });
      try {
        const check = tokenCheck({ jwks: { jwksUrl: provider.url, ...ownParties } });
        const tokens = new BelievedTokens(check);
        const header = `Bearer ${await provider.sign(claimsFor('alice', { exp: start / 1_000 + 3_600 }))}`;
        const reads = provider.reads();
        expect((await check(header.slice('Bearer '.length))).believedUntil).to.equal(start + 5 * minuteMs);
        mock.timers.setTime(start + 4 * minuteMs);
        expect((await tokens.principalOf(header, Date.now())).subject).to.equal('alice');
        expect(provider.reads()).to.equal(reads + 1);
        // Withdrawn by now: what was believed of it ends with the keys.
        provider.withdrawn = true;
        expect(tokens.principalOf(header, start + 5 * minuteMs - 1)).to.include({ subject: 'alice' });
        mock.timers.setTime(start + 5 * minuteMs);
        await refusal('unauthenticated', () => tokens.principalOf(header, Date.now()));
      } finally {
        provider.withdrawn = false;
        mock.timers.reset();
      }
    });

    it('says that it cannot check while the provider is away: that is no fault of the token', async () => {
      const away = tokenCheck({ jwks: { jwksUrl: 'http://127.0.0.1:1/keys', ...ownParties } });
      await refusal('unavailable', async () => away(await provider.sign(claimsFor('alice'))));
    });
  });
});
