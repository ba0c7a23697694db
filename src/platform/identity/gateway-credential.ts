import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** The header in which the gateway shows a service that it is the gateway. */
export const credentialHeader = 'x-tillbox-credential';
/** The header in which it says who asks (see `principalHeader`). */
export const principalHeaderName = 'x-tillbox-principal';

/** A new credential for a gateway and its services. */
export function newCredential(): string {
  return randomBytes(32).toString('base64url');
}

/**
 * Whether a header holds the credential, in a time that tells nothing about it: hashes are compared, so that not
 * even its length shows.
 */
export function credentialCheck(credential: string): (header: string | string[] | undefined) => boolean {
  const expected = hashOf(credential);
  return (header) => typeof header === 'string' && timingSafeEqual(hashOf(header), expected);
}

function hashOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
