import { CodedError } from '../platform/errors.ts';
import { freePort, listenForMoment } from '../platform/free-port.ts';

/** The port to listen on: the wanted one, or for 0 a free one. Throws `conflict` when it is taken. */
export async function reservePort(host: string, wanted: number, variable: string): Promise<number> {
  try {
    return wanted === 0 ? await freePort(host) : await listenForMoment(host, wanted);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reason = code === 'EADDRINUSE' ? 'is taken by another program' : `cannot be used (${code})`;
    const detail = `Port ${wanted} of ${host} ${reason}. Set ${variable} to another one, or to 0 for any free one.`;
    throw new CodedError('conflict', detail, { cause: error });
  }
}
