import { IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Requests that a client may send before it has the answer to the first. */
export const unansweredMax = 64;
/** When so many have come in one turn of the event loop, a connection may have one: more would be a second's work. */
export const readInTurnMax = 4_096;

/** Of a connection, the requests that are not answered yet. */
const unanswered = Symbol('unanswered');
type CountedSocket = Socket & { [unanswered]?: number };

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
  let readInTurn = 0;
  const endTurn = () => {
    readInTurn = 0;
  };
  const mayHaveOneMore = ({ [unanswered]: count = 0 }: CountedSocket) =>
    count === 0 || (count < each && readInTurn < inTurn);

  // Every request passes here: a plain function, and a message of Node's own class, cost next to nothing.
  function CountedMessage(socket: Socket): IncomingMessage {
    const message = new IncomingMessage(socket);
    if (!mayHaveOneMore(socket)) {
      Object.defineProperty(message, 'upgrade', { get: () => true, set: () => {} });
    }
    return message;
  }

  const counted =
    (listener: RequestListener): RequestListener =>
    (request, response) => {
      if (readInTurn === 0) setImmediate(endTurn);
      readInTurn += 1;
      const socket: CountedSocket = request.socket;
      socket[unanswered] = (socket[unanswered] ?? 0) + 1;
      response.once('close', countAnswered);
      listener(request, response);
    };
  return { IncomingMessage: CountedMessage as unknown as typeof IncomingMessage, counted };
}

function countAnswered(this: ServerResponse): void {
  const socket: CountedSocket = this.req.socket;
  socket[unanswered] = (socket[unanswered] ?? 1) - 1;
}
