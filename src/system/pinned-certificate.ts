import { X509Certificate } from 'node:crypto';
import type { ConnectionOptions } from 'node:tls';

/**
 * TLS options that accept this one certificate and no other, whatever names are in it and whoever signed it: the
 * gateway of this machine is reached by an address that its certificate need not name.
 * @param certificate PEM; the first one of a chain is the server's own
 */
export function trustOnly(
  certificate: string,
): Required<Pick<ConnectionOptions, 'ca' | 'allowPartialTrustChain' | 'checkServerIdentity'>> {
  const { fingerprint256 } = new X509Certificate(certificate);
  return {
    ca: certificate,
    // The certificate itself is trusted, not whoever signed it.
    allowPartialTrustChain: true,
    checkServerIdentity: (_host, shown) =>
      shown.fingerprint256 === fingerprint256
        ? undefined
        : new Error('the gateway shows another certificate than the one it was started with'),
  };
}

/** Whether the text begins with a certificate, as PEM. */
export function isCertificate(text: string): boolean {
  try {
    return new X509Certificate(text).fingerprint256 !== '';
  } catch {
    return false;
  }
}
