import type { IncomingMessage } from 'node:http';
import type { OrderView } from '../../orders/order.ts';
import type { GatewayAccess } from '../../system/gateway-access.ts';
import { exchange } from './http-exchange.ts';

/** The gateway writes the first event at once: a stream without one is being held back on its way. */
const firstEventMsMax = 2_000;
/** The gateway sends a comment every 15 s: a stream that is silent for three of them is dead. */
const silentMsMax = 45_000;
const eventCharactersMax = 64 * 1024;

/**
 * The statuses of an order as the gateway's event stream brings them, ending when the stream ends, breaks,
 * falls silent or is refused: what is missing then is for the caller to read. Never rejects.
 * @param options.onStep told each step of the orders service too, as it happens
 */
export async function* orderEvents(
  access: GatewayAccess,
  id: string,
  { signal, onStep }: { signal: AbortSignal; onStep?: ((step: string) => void) | undefined },
): AsyncGenerator<OrderView, void> {
  const silence = new AbortController();
  let timer = setTimeout(() => silence.abort(), firstEventMsMax);
  try {
    const path = `/orders/${id}/events${onStep === undefined ? '' : '?steps=true'}`;
    const request = { method: 'GET', path, accept: 'text/event-stream' } as const;
    const response = await exchange(access, request, AbortSignal.any([signal, silence.signal]));
    const isStream = response.headers['content-type']?.startsWith('text/event-stream') === true;
    if (response.statusCode !== 200 || !isStream) return;
    for await (const event of eventsIn(response)) {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), silentMsMax);
      const data = dataIn(event);
      if (data === undefined) continue;
      if (!event.startsWith('event: step')) yield data as OrderView;
      else onStep?.(String((data as { step?: unknown }).step));
    }
  } catch {
    // The stream broke.
  } finally {
    clearTimeout(timer);
    silence.abort();
  }
}

/** The blocks of an event stream (HTML, section "Server-sent events"), comments among them. */
async function* eventsIn(response: IncomingMessage): AsyncGenerator<string> {
  let text = '';
  for await (const chunk of response.setEncoding('utf8') as AsyncIterable<string>) {
    text = (text + chunk).replaceAll('\r\n', '\n');
    const blocks = text.split('\n\n');
    text = blocks.pop() ?? '';
    if (text.length > eventCharactersMax) return;
    yield* blocks;
  }
}

function dataIn(event: string): object | undefined {
  const data = event.split('\n').filter((line) => line.startsWith('data:'));
  try {
    return JSON.parse(data.map((line) => line.slice('data:'.length)).join('\n'));
  } catch {
    return undefined;
  }
}
