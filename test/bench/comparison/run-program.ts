import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { NewOrder } from './program.ts';
import { programs } from './programs.ts';

/**
 * One process of one program: `run-program.ts NAME setup|orders|payments`, with DATABASE_URL. The orders
 * process listens on a free port and tells its parent which; both tell when they are ready.
 */

const bodyBytesMax = 10_000;

async function main([name = '', duty]: readonly string[]): Promise<void> {
  const program = programs[name];
  const url = process.env['DATABASE_URL'] ?? '';
  if (program === undefined) throw new Error(`no program ${name}`);
  if (duty === 'setup') {
    await program.setUp(url);
    process.disconnect?.();
    return;
  }
  // Whoever started it may be gone: then so is the reason to run.
  process.on('disconnect', () => process.exit());
  const port = duty === 'orders' ? await listen(await program.startOrders(url)) : undefined;
  if (duty === 'payments') await program.startPayments(url);
  process.send?.({ ready: true, port });
}

/** `POST /orders` as tillbox answers it, without the rest of HTTP. Answers the port. */
function listen(create: (order: NewOrder) => Promise<void>): Promise<number> {
  const server = createServer(async (request, response) => {
    const answer = (status: number, body: object) => {
      const text = JSON.stringify(body);
      response.writeHead(status, {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(text),
      });
      response.end(text);
    };
    try {
      const order =
        request.method === 'POST' && request.url === '/orders' ? await readOrder(request) : undefined;
      if (order === undefined) {
        answer(400, { code: 'bad-request' });
        return;
      }
      await create(order);
      answer(201, { ...order, user_id: order.userId, status: 'NEW' });
    } catch (error) {
      console.error(error);
      answer(500, { code: 'internal' });
    }
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
  });
}

async function readOrder(request: IncomingMessage): Promise<NewOrder | undefined> {
  let text = '';
  for await (const chunk of request) {
    text += chunk;
    if (text.length > bodyBytesMax) return undefined;
  }
  const { user_id: userId, amount, description = '' } = JSON.parse(text);
  const [whole, cents] = /^(\d{1,10})(?:\.(\d\d))?$/.exec(String(amount))?.slice(1) ?? [];
  if (typeof userId !== 'string' || typeof description !== 'string' || whole === undefined) return undefined;
  return { id: randomUUID(), userId, amount: `${whole}${cents ?? '00'}`, description };
}

await main(process.argv.slice(2));
