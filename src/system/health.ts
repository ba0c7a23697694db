import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { json } from 'node:stream/consumers';

/** What a daemon says of itself; the gateway says it of the instances behind, to who may know. */
export interface Health {
  ready: boolean;
  pid?: number;
  orders?: { url: string; pid: number | null; ready: boolean }[];
  payments?: { url: string; pid: number | null; ready: boolean }[];
}

const answerMsMax = 3_000;

/**
 * Asks a daemon how it is; undefined when it gives no answer. Nothing secret is sent without knowing to whom: with
 * no token, any certificate will do.
 */
export function healthOf(
  url: string,
  token?: string,
  tls: object = { rejectUnauthorized: token !== undefined },
): Promise<Health | undefined> {
  return new Promise((resolve) => {
    const send = url.startsWith('https:') ? httpsRequest : httpRequest;
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const options = { agent: false, headers, signal: AbortSignal.timeout(answerMsMax), ...tls };
    try {
      const asking = send(`${url}/readyz`, options, (answer) => {
        json(answer).then(
          (health) => resolve(health as Health),
          () => resolve(undefined),
        );
      });
      asking.on('error', () => resolve(undefined));
      asking.end();
    } catch {
      resolve(undefined);
    }
  });
}
