import { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Requests that a client may send before it has the answer to the first. */
export const unansweredMax = 64;
/** When so many have come in one turn of the event loop, a connection may have one: more would be a second's work. */
export const readInTurnMax = 4_096;

/** Of a connection, the requests that are not answered yet. */
const unanswered = Symbol('unanswered');
type CountedSocket = Socket & { [unanswered]?: number };

/** For the options of a server that limits the requests it reads before it answers. */
export interface PipeliningLimit {
  IncomingMessage: typeof IncomingMessage;
  ServerResponse: typeof ServerResponse;
}

/**
 * Closes a connection with more requests unanswered than it may have, and reads no further. At a few bytes each, requests
 * come by the thousand in one piece, and all of a piece would be read before anything else has its turn: health, too.
 *
 * Node has no limit of its own. What it does have is the end of HTTP on a connection that asks for another protocol: so
 * a request too many says that it does, and because nobody here speaks another one the connection is closed. What is
 * counted are responses, because Node makes one for each request, also where it answers itself.
 */
export function limitPipelining({ each = unansweredMax, inTurn = readInTurnMax } = {}): PipeliningLimit {
  let readInTurn = 0;
  const endTurn = () => {
    readInTurn = 0;
  };
  const mayHaveOneMore = ({ [unanswered]: count = 0 }: CountedSocket) =>
    count === 0 || (count < each && readInTurn < inTurn);

  // Every request passes both: plain functions, and objects of Node's own classes, cost next to nothing.
  function CountedMessage(socket: Socket): IncomingMessage {
    const message = new IncomingMessage(socket);
    if (!mayHaveOneMore(socket)) {
      Object.defineProperty(message, 'upgrade', { get: () => true, set: () => {} });
    }
    return message;
  }

  function CountedResponse(...made: ConstructorParameters<typeof ServerResponse>): ServerResponse {
    const response = new ServerResponse(...made);
    if (readInTurn === 0) setImmediate(endTurn);
    readInTurn += 1;
    const socket: CountedSocket = response.req.socket;
    socket[unanswered] = (socket[unanswered] ?? 0) + 1;
    response.once('close', countAnswered);
    return response;
  }

  return {
    IncomingMessage: CountedMessage as unknown as typeof IncomingMessage,
    ServerResponse: CountedResponse as unknown as typeof ServerResponse,
  };
}

function countAnswered(this: ServerResponse): void {
  const socket: CountedSocket = this.req.socket;
  socket[unanswered] = (socket[unanswered] ?? 1) - 1;
}
