import type { Target } from './connection.ts';
import type { Response } from './response.ts';
import { type Job, type JobEnd, type JobSource, Sender } from './sender.ts';

/** What a request that is one of a few came to: its answer, or undefined and why there is none. */
export interface Reply {
  response: Response | undefined;
  answer: string;
}

interface Request extends Job {
  resolve(reply: Reply): void;
}

/** Requests one by one, as promises, over a few connections: for all that is not the load itself. */
export class Requests implements JobSource<Request> {
  readonly #sender: Sender<Request>;
  readonly #queue: Request[] = [];

  /** @param options.giveUpMs how long each is tried */
  constructor(options: { target: Target; clients: number; giveUpMs: number }) {
    this.#sender = new Sender(options, this);
  }

  /** Sends one, retried as the sender does it. Never rejects. */
  send(text: string): Promise<Reply> {
    return new Promise((resolve) => {
      this.#queue.push({ text, plannedAt: undefined, sentAt: 0, tries: 0, uncertain: false, resolve });
      this.#sender.wake();
    });
  }

  /** Ends everything; what is under way resolves without an answer. */
  close(): void {
    this.#sender.close();
    for (const request of this.#queue.splice(0)) request.resolve({ response: undefined, answer: 'closed' });
  }

  next(): Request | undefined {
    return this.#queue.shift();
  }

  ended(request: Request, { response, answer }: JobEnd): void {
    request.resolve({ response, answer });
  }
}
