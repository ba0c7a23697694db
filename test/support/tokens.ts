import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, type JWTPayload, SignJWT } from 'jose';

/** A secret long enough for tests to sign with. */
export const testSecret = 'a-secret-of-tests-that-is-long-enough-0123456789';

/** The claims of a good token of tillbox's own parties; undefined leaves one out. */
export function claimsFor(subject: string, claims: Record<string, unknown> = {}): JWTPayload {
  const now = Math.floor(Date.now() / 1_000);
  const whole = {
    sub: subject,
    scope: 'user',
    iss: 'tillbox',
    aud: 'tillbox',
    iat: now,
    exp: now + 600,
    ...claims,
  };
  return Object.fromEntries(Object.entries(whole).filter(([, value]) => value !== undefined));
}

/** Signs claims as whoever has the key would. */
export function sign(
  claims: JWTPayload,
  key: Uint8Array | CryptoKey | string,
  header: { alg: string; kid?: string } = { alg: 'HS256' },
): Promise<string> {
  const bytes = typeof key === 'string' ? new TextEncoder().encode(key) : key;
  return new SignJWT(claims).setProtectedHeader(header).sign(bytes);
}

/** A token that says it needs no signature. */
export function unsigned(claims: JWTPayload, alg = 'none'): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg, typ: 'JWT' })}.${part(claims)}.`;
}

/** An identity provider that publishes its keys. */
export interface TestProvider {
  url: string;
  /** How often the keys were read. */
  reads(): number;
  /** Signs with a key of its own. */
  sign(claims: JWTPayload, header?: { alg: string; kid?: string }): Promise<string>;
  /** The public key as everybody has it. */
  publicKey: string;
  /** Whether it answers nothing. */
  away: boolean;
  /** Whether it has withdrawn its key. */
  withdrawn: boolean;
  stop(): Promise<void>;
}

/** Starts one, with a key of this algorithm under the id `key-1`. */
export async function startTestProvider(alg = 'RS256'): Promise<TestProvider> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid: 'key-1', alg, use: 'sig' };
  let reads = 0;
  const server = createServer((_request, response) => {
    reads += 1;
    if (provider.away) return void response.writeHead(503).end();
    const keys = provider.withdrawn ? [] : [jwk];
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ keys }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const provider: TestProvider = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`,
    reads: () => reads,
    sign: (claims, header = { alg, kid: 'key-1' }) => sign(claims, privateKey, header),
    publicKey: await exportSPKI(publicKey),
    away: false,
    withdrawn: false,
    stop: () => new Promise((resolve) => server.close(() => resolve())),
  };
  return provider;
}
