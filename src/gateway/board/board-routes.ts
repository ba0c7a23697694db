import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { scopeMissing } from '../../platform/identity/refusals.ts';
import type { Board } from './board.ts';
import type { BoardPage } from './page.ts';

/**
 * Adds the page at `/`, for browsers, and the event stream it watches. The page is the same for everybody; what the
 * stream tells is everyone's, hence an operator's.
 */
export function addBoardRoutes(app: FastifyInstance, board: Board, page: BoardPage): void {
  app.get('/', (request, reply) => {
    reply.header('vary', 'Accept');
    // Whoever is no browser finds what was always here: nothing, and where to look.
    if (!asksForHtml(request)) return reply.callNotFound();
    return reply.headers(page.headers).type('text/html; charset=utf-8').send(page.html);
  });

  app.get('/board/events', (request, reply) => {
    if (request.visit.principal.scope !== 'operator') throw scopeMissing('operator');
    board.checkRoom();
    reply.header('content-type', 'text/event-stream');
    // Between, nobody may gather events before passing them on.
    reply.header('x-accel-buffering', 'no').header('cache-control', 'no-store');
    if (request.method === 'HEAD') return reply.send();
    board.watch(headSent(reply));
  });
}

function asksForHtml({ headers }: FastifyRequest): boolean {
  return /\btext\/html\b/i.test(headers.accept ?? '');
}

/** Takes the answer over from Fastify, with all headers that were set. */
function headSent(reply: FastifyReply) {
  reply.hijack();
  reply.raw.writeHead(200, reply.getHeaders() as Record<string, string>);
  reply.raw.flushHeaders();
  return reply.raw;
}
