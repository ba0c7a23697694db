import { randomBytes, timingSafeEqual } from 'node:crypto';

/** The header in which the gateway shows a service that it is the gateway. */
export const credentialHeader = 'x-tillbox-credential';
/** The header in which it says who asks (see `principalHeader`). */
export const principalHeaderName = 'x-tillbox-principal';

/** A new credential for a gateway and its services. */
export function newCredential(): string {
  return randomBytes(32).toString('base64url');
}

/** Whether a header holds the credential, in a time that tells nothing of it but its length. */
export function credentialCheck(credential: string): (header: string | string[] | undefined) => boolean {
  const expected = Buffer.from(credential);
  return (header) => {
    if (typeof header !== 'string') return false;
    const shown = Buffer.from(header);
    return shown.length === expected.length && timingSafeEqual(shown, expected);
  };
}
