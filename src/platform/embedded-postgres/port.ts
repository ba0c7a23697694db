import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { ServerPlace } from './place.ts';

/** The port this place's server had before if that is free, so that URLs stay true, else another. */
export async function choosePort(place: ServerPlace): Promise<number> {
  const remembered = Number(await readFile(join(place.folder, 'port'), 'utf8').catch(() => '0'));
  const usable = Number.isInteger(remembered) && remembered > 0 && remembered < 65_536;
  return usable ? freePort(remembered).catch(() => freePort(0)) : freePort(0);
}

/** The port if it is free, or with 0 any free one; rejects if it is taken. */
export function freePort(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen({ host: '127.0.0.1', port, exclusive: true }, () => {
      const address = probe.address();
      const chosen = typeof address === 'object' && address ? address.port : port;
      probe.close(() => resolve(chosen));
    });
  });
}
