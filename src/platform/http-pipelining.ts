import { IncomingMessage, type RequestListener } from 'node:http';
import type { Socket } from 'node:net';

/** Requests that a client may send before it has the answer to the first: as many as a batch of the command line does. */
export const unansweredMax = 64;
/** When so many have come in one turn of the event loop, a connection may have one: more would be a second's work. */
export const readInTurnMax = 4_096;

/** What a server takes to limit the requests that it reads before it answers. */
export interface PipeliningLimit {
  /** For its options. */
  IncomingMessage: typeof IncomingMessage;
  /** Around its listener. */
  counted(listener: RequestListener): RequestListener;
}

/**
 * Closes a connection with more requests unanswered than it may have, and reads no further. At a few bytes each, requests
 * come by the thousand in one piece, and all of a piece would be read before anything else has its turn: health, too.
 *
 * Node has no limit of its own. What it does have is the end of HTTP on a connection that asks for another protocol: so
 * a request too many says that it does, and because nobody here speaks another one the connection is closed.
 */
export function limitPipelining({ each = unansweredMax, inTurn = readInTurnMax } = {}): PipeliningLimit {
  const unanswered = new WeakMap<Socket, number>();
  let readInTurn = 0;
  const of = (socket: Socket) => unanswered.get(socket) ?? 0;
  const mayHaveOneMore = (socket: Socket) => of(socket) === 0 || (of(socket) < each && readInTurn < inTurn);

  class CountedMessage extends IncomingMessage {
    constructor(socket: Socket) {
      super(socket);
      if (mayHaveOneMore(socket)) return;
      Object.defineProperty(this, 'upgrade', { get: () => true, set: () => {} });
    }
  }

  const counted = (listener: RequestListener): RequestListener => {
    const endTurn = () => {
      readInTurn = 0;
    };
    return (request, response) => {
      const { socket } = request;
      if (readInTurn === 0) setImmediate(endTurn);
      readInTurn += 1;
      unanswered.set(socket, of(socket) + 1);
      response.once('close', () => unanswered.set(socket, of(socket) - 1));
      listener(request, response);
    };
  };
  return { IncomingMessage: CountedMessage, counted };
}
