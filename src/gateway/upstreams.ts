import { CodedError } from '../platform/errors.ts';
import { credentialHeader, principalHeaderName } from '../platform/identity/gateway-credential.ts';
import {
  type Answer,
  type Asked,
  type Forward,
  hangs,
  Instance,
  isStranger,
  neverSent,
  refusedAsStranger,
  type WholeAnswer,
  waitingConnectionsMax,
} from './instance.ts';

/** A service that is away is known to be so in under 3 s, on a busy machine too. */
export const answerMsMax = 2_500;
/** Requests to one service that are on their way; more than its connections work off in that time. */
const inFlightMax = 2_000;

/**
 * The instances of one service. Requests are spread over them; one that is away is skipped. A request that
 * never reached an instance goes to the next; one that may have had an effect is repeated only if that is
 * harmless, at the same instance when there is no other.
 */
export class Upstreams {
  readonly #service: string;
  readonly #instances: Instance[];
  #next = 0;
  readonly #inFlight = { atOnce: 0, waiting: 0 };
  readonly #credential: string | undefined;

  /** @param urls base URL of each instance @param credential what shows them that this is the gateway */
  constructor(service: string, urls: readonly string[], credential?: string) {
    this.#service = service;
    this.#credential = credential;
    this.#instances = urls.map((url) => new Instance(url));
  }

  /** How many instances there are, here or away. */
  get size(): number {
    return this.#instances.length;
  }

  /**
   * Passes a request on, and answers what the service answers, whole. Throws `unavailable`, `overloaded` when too many
   * are on their way, or `outcome-unknown` for a write that may have happened.
   */
  request(forward: Forward): Promise<WholeAnswer> {
    return this.#withRoom(forward, readWhole, async () => {});
  }

  /** The same, with an answer whose body is read as it comes. */
  open(forward: Forward): Promise<Answer> {
    return this.#withRoom(
      forward,
      (answer) => answer,
      ({ body }) => body.dump(),
    );
  }

  async #withRoom<Read extends { statusCode: number }>(
    forward: Forward,
    read: (answer: Answer) => Read | Promise<Read>,
    discard: (answer: Read) => Promise<void>,
  ): Promise<Read> {
    const kind = forward.extraMs > 0 ? 'waiting' : 'atOnce';
    const most = kind === 'waiting' ? waitingConnectionsMax * this.size : inFlightMax;
    if (this.#inFlight[kind] >= most) {
      const detail = `Too many requests are on their way to the ${this.#service} service. Nothing was stored; try again in a second.`;
      throw new CodedError('overloaded', detail);
    }
    this.#inFlight[kind] += 1;
    try {
      const { result: answer, doubtful } = await this.deliver(forward, read);
      if (!doubtful || answer.statusCode < 500) return answer;
      await discard(answer);
      throw this.#refusal(forward, true);
    } finally {
      this.#inFlight[kind] -= 1;
    }
  }

  /**
   * The same, with an answer that is over once `read` has read it; a failure to do so is no answer.
   * @returns `doubtful` when another instance, that gave no answer, may have done it or do it yet: a refusal then
   *   does not mean that it was not done
   */
  async deliver<Result>(
    forward: Forward,
    read: (answer: Answer) => Result | Promise<Result>,
  ): Promise<{ result: Result; doubtful: boolean }> {
    if (this.#credential !== undefined) forward.headers[credentialHeader] = this.#credential;
    const deadline = (forward.since ?? performance.now()) + answerMsMax + forward.extraMs;
    const turn = this.#inTurn();
    const tries = forward.repeatable ? [...turn, ...turn] : turn;
    const hanging = new Set<Instance>();
    const readKnown = async (answer: Answer) => {
      if (answer.statusCode === 401) await refusedAsStranger(answer);
      return read(answer);
    };
    let doubtful = false;
    let cause: unknown;
    for (const [index, instance] of tries.entries()) {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) break;
      // The second round is for those that were cut off, not for those that hang.
      if (hanging.has(instance)) continue;
      // An instance that hangs must leave time to ask another: half of it, however many there are. With a share
      // for each, the more instances the sooner a busy one would be taken for one that hangs, and all asked the same.
      const isLast = !forward.repeatable || index >= this.size - 1;
      const patienceMs = (leftMs - forward.extraMs) / (isLast ? 1 : 2);
      const msMax = Math.min(leftMs, forward.extraMs + patienceMs);
      try {
        return { result: await instance.send(forward, readKnown, { msMax, patienceMs }), doubtful };
      } catch (error) {
        if (forward.signal?.aborted) throw error;
        cause = error;
        doubtful ||= !neverSent(error);
        if (hangs(error)) hanging.add(instance);
        if (doubtful && !forward.repeatable) break;
      }
    }
    throw this.#refusal(forward, doubtful, cause);
  }

  /** Asks every instance the same; the answer of one that does not answer is undefined. */
  async askAll(path: string): Promise<{ url: string; answer: unknown; statusCode: number | undefined }[]> {
    return Promise.all(
      this.#instances.map(async (instance) => {
        const asked = await instance.ask(path, { headers: this.#asOperator() });
        return { url: instance.url, answer: asked?.answer, statusCode: asked?.statusCode };
      }),
    );
  }

  /**
   * Asks one instance after the other until one knows; else answers what the last one said, undefined when none
   * answered. Unlike a request it makes no instance pass for away: who asks is not in a hurry.
   */
  async askOne(path: string): Promise<Asked | undefined> {
    let last: Asked | undefined;
    for (const instance of this.#inTurn()) {
      const asked = await instance.ask(path, { headers: this.#asOperator() });
      if (asked?.statusCode === 200) return asked;
      last = asked ?? last;
    }
    return last;
  }

  async close(): Promise<void> {
    await Promise.all(this.#instances.map((instance) => instance.close()));
  }

  /** What is said of a write that may have happened. */
  outcomeUnknown(cause?: unknown): CodedError {
    const detail = `The ${this.#service} service went away before it answered: the request may have taken effect. Repeat it with the same Idempotency-Key, which is safe.`;
    return new CodedError('outcome-unknown', detail, { cause });
  }

  /** The gateway's own questions: it may know everything, and tells who may. */
  #asOperator(): Record<string, string> {
    const credential = this.#credential === undefined ? {} : { [credentialHeader]: this.#credential };
    return { ...credential, [principalHeaderName]: 'operator' };
  }

  #refusal(forward: Forward, doubtful: boolean, cause?: unknown): CodedError {
    if (doubtful && forward.method === 'POST') return this.outcomeUnknown(cause);
    const why = isStranger(cause)
      ? 'does not know this gateway: whoever runs them gives both the same TILLBOX_GATEWAY_SECRET'
      : 'is away or overloaded';
    const detail = `The ${this.#service} service ${why}. Nothing was stored; try again in a moment.`;
    return new CodedError('unavailable', detail, { cause });
  }

  /** Every instance once: the idlest first, in turn among equals; those believed to be away come last. */
  #inTurn(): Instance[] {
    this.#next = (this.#next + 1) % this.size;
    const turn = [...this.#instances.slice(this.#next), ...this.#instances.slice(0, this.#next)];
    return turn.sort(
      (one, other) => Number(one.isAway) - Number(other.isAway) || one.pending - other.pending,
    );
  }
}

async function readWhole({ statusCode, headers, body }: Answer): Promise<WholeAnswer> {
  return { statusCode, headers, body: Buffer.from(await body.arrayBuffer()) };
}
