import { Connection, type NoAnswer, type Target } from './connection.ts';
import { headerIn, type Response } from './response.ts';

/** A request, and how it goes with it. Whoever makes one may hang more on it. */
export interface Job {
  /** The whole request in ASCII; the same at every try, its idempotency key included. */
  readonly text: string;
  /** When it should leave, in milliseconds of performance.now(); undefined: when it can. */
  readonly plannedAt: number | undefined;
  /** When it left first. */
  sentAt: number;
  tries: number;
  /** Whether a try got no answer, or one that leaves open whether it took effect. */
  uncertain: boolean;
}

/** What a job has come to for good. */
export interface JobEnd {
  /** The answer that settled it; undefined when the last try got none. */
  response: Response | undefined;
  /** Whether it was a success: 2xx. */
  ok: boolean;
  /** The status, or why no answer came. */
  answer: string;
  at: number;
}

/** Where jobs come from, and where they end. */
export interface JobSource<Work extends Job> {
  /** The next job that is due; undefined when none is, yet or ever: `wake` makes the sender ask again. */
  next(now: number): Work | undefined;
  ended(job: Work, end: JobEnd): void;
}

export interface SenderOptions {
  target: Target;
  /** Requests under way at once, each on a connection of its own, opened when it is first needed. */
  clients: number;
  /** How long a job is tried again, counted from its first try, before it is given up. */
  giveUpMs: number;
}

/** Longest wait for one answer. The gateway itself gives up on what is behind it in under 3 s. */
const answerMsMax = 10_000;
const expiryIntervalMs = 250;
/** Pause before the second try; doubles with each, its random half keeps the clients apart. */
const retryMsMin = 50;
const retryMsMax = 1_000;

interface Client<Work> {
  connection: Connection;
  job: Work | undefined;
  retry: NodeJS.Timeout | undefined;
}

/**
 * Clients that send jobs and try again, with the same idempotency key, what was refused with 5xx, 429 or 408 or got
 * no answer; anything else is final. They cost a few microseconds a job: callbacks and no promises.
 */
export class Sender<Work extends Job> {
  /** What the gateway answered, or why it did not, at every try. */
  readonly answers = new Map<string, number>();
  /** When the last answer of any kind came. */
  lastAnswerAt = performance.now();
  readonly #source: JobSource<Work>;
  readonly #giveUpMs: number;
  readonly #clients: Client<Work>[];
  readonly #idle: Client<Work>[];
  readonly #byConnection = new Map<Connection, Client<Work>>();
  readonly #expiry: NodeJS.Timeout;
  #onQuiet: (() => void) | undefined;
  #giveUp = false;

  constructor(options: SenderOptions, source: JobSource<Work>) {
    this.#source = source;
    this.#giveUpMs = options.giveUpMs;
    const events = {
      answered: (connection: Connection, response: Response) =>
        this.#answered(this.#clientOf(connection), response),
      broke: (connection: Connection, why: NoAnswer) => this.#broke(this.#clientOf(connection), why),
    };
    this.#clients = Array.from({ length: options.clients }, () => {
      const client = { connection: new Connection(options.target, events), job: undefined, retry: undefined };
      this.#byConnection.set(client.connection, client);
      return client;
    });
    this.#idle = [...this.#clients].reverse();
    this.#expiry = setInterval(() => {
      for (const { connection } of this.#clients) connection.expire(answerMsMax);
    }, expiryIntervalMs);
  }

  /** Jobs under way, those that wait for another try included. */
  get underWay(): number {
    return this.#clients.length - this.#idle.length;
  }

  /** Gives what is due to the clients that are free. */
  wake(): void {
    const now = performance.now();
    while (this.#idle.length > 0) {
      const job = this.#source.next(now);
      if (job === undefined) return;
      this.#begin(this.#idle.pop() as Client<Work>, job, now);
    }
  }

  /** Resolves when no job is under way any more. */
  quiet(): Promise<void> {
    return new Promise((resolve) => {
      this.#onQuiet = resolve;
      if (this.underWay === 0) resolve();
    });
  }

  /** From now on nothing is tried again. */
  giveUp(): void {
    this.#giveUp = true;
    for (const client of this.#clients) {
      if (client.retry !== undefined) this.#end(client, undefined, 'given up');
    }
  }

  /** Closes all connections; jobs under way end without an answer. */
  close(): void {
    this.giveUp();
    clearInterval(this.#expiry);
    for (const { connection } of this.#clients) connection.close();
  }

  #clientOf(connection: Connection): Client<Work> {
    return this.#byConnection.get(connection) as Client<Work>;
  }

  #begin(client: Client<Work>, job: Work, now: number): void {
    client.job = job;
    job.sentAt = now;
    job.tries = 1;
    client.connection.send(job.text);
  }

  #answered(client: Client<Work>, response: Response): void {
    const { status } = response;
    const answer = statusText(status);
    this.#count(answer);
    this.lastAnswerAt = performance.now();
    if (status < 500 && status !== 429 && status !== 408) {
      this.#end(client, response, answer);
      return;
    }
    // Only what is known to have stored nothing leaves the outcome certain.
    if (status >= 500 && status !== 503) this.#markUncertain(client);
    else if (response.body.includes('outcome-unknown')) this.#markUncertain(client);
    const seconds = Number(headerIn(response.head, 'retry-after') ?? 0);
    this.#tryAgain(client, response, answer, Number.isFinite(seconds) ? seconds * 1_000 : 0);
  }

  #broke(client: Client<Work>, { sent, reason }: NoAnswer): void {
    this.#count(reason);
    if (sent) this.#markUncertain(client);
    this.#tryAgain(client, undefined, reason, 0);
  }

  #markUncertain({ job }: Client<Work>): void {
    if (job !== undefined) job.uncertain = true;
  }

  #tryAgain(client: Client<Work>, response: Response | undefined, answer: string, askedMs: number): void {
    const { job } = client;
    if (job === undefined) return;
    const backoffMs = Math.min(retryMsMin * 2 ** (job.tries - 1), retryMsMax) * (0.5 + Math.random());
    // A server that asks for a long pause gets it, as long as there is a try after it.
    const pauseMs = Math.max(backoffMs, askedMs * (1 + Math.random() / 4));
    const isLast = performance.now() + pauseMs - job.sentAt > this.#giveUpMs;
    if (isLast || this.#giveUp) {
      this.#end(client, response, answer);
      return;
    }
    client.retry = setTimeout(() => {
      client.retry = undefined;
      job.tries += 1;
      client.connection.send(job.text);
    }, pauseMs);
  }

  #end(client: Client<Work>, response: Response | undefined, answer: string): void {
    const { job } = client;
    if (job === undefined) return;
    clearTimeout(client.retry);
    client.retry = undefined;
    client.job = undefined;
    const now = performance.now();
    const ok = response !== undefined && response.status < 300;
    this.#source.ended(job, { response, ok, answer, at: now });
    const next = this.#giveUp ? undefined : this.#source.next(now);
    if (next !== undefined) {
      this.#begin(client, next, now);
      return;
    }
    this.#idle.push(client);
    if (this.underWay === 0) this.#onQuiet?.();
  }

  #count(answer: string): void {
    this.answers.set(answer, (this.answers.get(answer) ?? 0) + 1);
  }
}

/** Made once for each status: a request must not cost a string. */
const statusTexts: string[] = [];
function statusText(status: number): string {
  statusTexts[status] ??= String(status);
  return statusTexts[status];
}
