import { createServer } from 'node:net';
import { CodedError } from '../platform/errors.ts';

/** The port to listen on: the wanted one, or for 0 a free one. Throws `conflict` when it is taken. */
export function reservePort(host: string, wanted: number, variable: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      const reason =
        error.code === 'EADDRINUSE' ? 'is taken by another program' : `cannot be used (${error.code})`;
      const detail = `Port ${wanted} of ${host} ${reason}. Set ${variable} to another one, or to 0 for any free one.`;
      reject(new CodedError('conflict', detail, { cause: error }));
    });
    server.listen({ host, port: wanted }, () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : wanted;
      server.close(() => resolve(port));
    });
  });
}
