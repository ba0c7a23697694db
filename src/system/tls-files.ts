import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { DoorConfig } from '../platform/door-config.ts';
import { CodedError } from '../platform/errors.ts';
import type { TlsFiles } from '../platform/http-server.ts';

/** Certificate and key of the gateway. @throws CodedError `usage` when one cannot be read, or they do not belong together */
export function readTlsFiles(paths: NonNullable<DoorConfig['tls']>): TlsFiles {
  const tls = {
    cert: read(paths.certificate, 'TILLBOX_TLS_CERT'),
    key: read(paths.key, 'TILLBOX_TLS_KEY'),
  };
  try {
    createSecureContext(tls);
    return tls;
  } catch (cause) {
    const detail = 'TILLBOX_TLS_CERT and TILLBOX_TLS_KEY must be a certificate and its private key, as PEM.';
    throw new CodedError('usage', detail, { cause });
  }
}

function read(path: string, variable: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new CodedError(
      'usage',
      `${variable} must be a file that can be read; ${path} cannot be (${code}).`,
      { cause },
    );
  }
}
