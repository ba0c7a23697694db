import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { canListen, freePort } from '../free-port.ts';
import type { ServerPlace } from './place.ts';
import { serverHost } from './settings.ts';

/** The port this place's server had before if that is free, so that URLs stay true, else another. */
export async function choosePort(place: ServerPlace): Promise<number> {
  const remembered = Number(await readFile(join(place.folder, 'port'), 'utf8').catch(() => '0'));
  const usable = Number.isInteger(remembered) && remembered > 0 && remembered < 65_536;
  return usable && (await canListen(serverHost, remembered)) ? remembered : freePort(serverHost);
}
