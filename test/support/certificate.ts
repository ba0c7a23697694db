import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A certificate of our own making, for a name that nobody asks for. */
export function makeCertificate(): { certificate: string; key: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'tillbox-tls-'));
  const [certificate, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const subject = ['-subj', '/CN=shop.example', '-days', '2'];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  execFileSync('openssl', ['req', '-x509', ...kind, ...subject, '-out', certificate, '-keyout', key], {
    stdio: 'ignore',
  });
  return { certificate, key, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
