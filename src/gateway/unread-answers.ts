import type { ServerResponse } from 'node:http';

/** Answers held for clients who have not taken them yet, in bytes; more than all of any honest moment. */
const heldBytesMax = 64 * 1_024 * 1_024;
/** What is no longer than this is not worth counting. */
const smallBytes = 4_096;

/**
 * The answers that wait for their clients to read. They wait here, not at the services: so a client that does not read
 * keeps no connection to a service from the others. And they are bounded: when there is no room for one more, the client
 * that has left its answer lying for longest is cut off.
 */
export class UnreadAnswers {
  readonly #bytesMax: number;
  /** The oldest first. */
  readonly #held = new Map<ServerResponse, number>();
  #bytes = 0;

  /** @param bytesMax how much is held, in bytes */
  constructor(bytesMax = heldBytesMax) {
    this.#bytesMax = bytesMax;
  }

  /** Counts an answer until it is sent, or its client gone. Call it before it is sent. */
  hold(response: ServerResponse, bytes: number): void {
    if (bytes <= smallBytes || response.closed) return;
    this.#held.set(response, bytes);
    this.#bytes += bytes;
    response.once('close', () => this.#release(response));
    for (const [oldest] of this.#held) {
      if (this.#bytes <= this.#bytesMax || oldest === response) break;
      this.#release(oldest);
      oldest.req.socket.destroy();
    }
  }

  #release(response: ServerResponse): void {
    this.#bytes -= this.#held.get(response) ?? 0;
    this.#held.delete(response);
  }
}
