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

/** What is said by an answer, as far as it is JSON. */
interface Answer {
  status: number;
  body: unknown;
}

/**
 * Asks a daemon how it is; undefined when it gives no answer. Nothing secret is sent without knowing to whom: with
 * no token, any certificate will do.
 */
export async function healthOf(
  url: string,
  token?: string,
  tls: object = { rejectUnauthorized: token !== undefined },
): Promise<Health | undefined> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return (await ask(`${url}/readyz`, { headers, ...tls }))?.body as Health | undefined;
}

/** Whether a gateway lets in nobody without a token; undefined when it gives no answer. */
export async function asksForTokens(url: string): Promise<boolean | undefined> {
  // Who may ask is decided before anything else, so it does not matter for what.
  const answer = await ask(`${url}/accounts/anybody`, { rejectUnauthorized: false });
  return answer && answer.status === 401;
}

function ask(url: string, options: object): Promise<Answer | undefined> {
  return new Promise((resolve) => {
    const send = url.startsWith('https:') ? httpsRequest : httpRequest;
    try {
      const signal = AbortSignal.timeout(answerMsMax);
      const asking = send(url, { agent: false, signal, ...options }, (answer) => {
        json(answer).then(
          (body) => resolve({ status: answer.statusCode ?? 0, body }),
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
