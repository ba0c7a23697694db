import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What becomes of event streams on their way: refused, never begun, or cut after their first event. */
export type StreamFault = 'refused' | 'held' | 'cut';

/** A proxy in front of a gateway that lets everything through but event streams. */
export interface StreamBreaker {
  url: string;
  /** Event streams that were asked for. */
  readonly streams: number;
  /** Answers about an order that went through, streams aside. */
  readonly reads: number;
  stop(): Promise<void>;
}

/** Starts one before the gateway at `target`. */
export async function startStreamBreaker(target: string, fault: StreamFault): Promise<StreamBreaker> {
  let streams = 0;
  let reads = 0;
  const server = createServer((incoming, outgoing) => {
    const isStream = incoming.url?.includes('/events') === true;
    if (isStream) streams += 1;
    if (isStream && fault === 'refused') return void outgoing.writeHead(502).end('no streams here');
    if (isStream && fault === 'held') {
      outgoing.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
      return;
    }
    const { method, url, headers } = incoming;
    if (url?.startsWith('/orders/')) outgoing.on('finish', () => (reads += 1));
    const upstream = request(new URL(url ?? '/', target), { method, headers, agent: false }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      if (!isStream) return void answer.pipe(outgoing);
      answer.once('data', (chunk) => outgoing.write(chunk, () => outgoing.destroy()));
    });
    upstream.on('error', () => outgoing.destroy());
    outgoing.on('close', () => upstream.destroy());
    incoming.pipe(upstream);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get streams() {
      return streams;
    },
    get reads() {
      return reads;
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
