import type { Delivery } from '../messaging/broker/broker.ts';
import type { PaymentResult } from '../messaging/messages.ts';
import type { ServiceParts } from '../messaging/service.ts';
import { PassLoop } from '../platform/pass-loop.ts';
import { isOutcomeUnknown } from '../platform/postgres-errors.ts';
import { InboxPressure } from './inbox-pressure.ts';
import { type ReceivedRequest, receiveRequests } from './inbox-store.ts';
import { type Processed, processedMax, processRequests } from './process-requests.ts';
import { type Received, receiveDeliveries } from './receive-requests.ts';
import { DecisionTrace, receiveTraced } from './traced-steps.ts';

/** The safety net: requests whose receiver died before it could poke are decided after at most this. */
const idleMs = 2_000;
/** More than this is better received while those before are decided. */
const atOnceMax = 8;
/** Who holds an account is mostly another instance, for milliseconds: the wait begins so short, and doubles. */
const heldMsMin = 10;

/** What it is made of. */
export type IncomingParts = Pick<ServiceParts, 'database' | 'outbox' | 'instruments' | 'spans' | 'log'> & {
  /** Called when there are new rows in the outbox, with the messages in them. */
  afterCommit(results: readonly PaymentResult[]): void;
};

/**
 * Steps 3 and 4 of one process. Under load they are two: while one batch is decided the next is received. A few requests
 * that find the inbox empty are received and decided in one transaction, for one commit and one way to the database less.
 */
export class IncomingRequests {
  /** Step 4 for all that waits. */
  readonly processing: PassLoop;
  readonly #parts: IncomingParts;
  readonly #pressure = new InboxPressure();
  /** Whether nothing waited a moment ago, and nobody was at work. */
  #atRest = false;
  #heldPasses = 0;

  constructor(parts: IncomingParts) {
    this.#parts = parts;
    this.processing = new PassLoop({
      name: 'process-requests',
      idleMs,
      failed: () => parts.instruments.retried('process-requests'),
      log: parts.log,
      pass: () => this.processOnce(),
    });
  }

  /** Step 3 for a batch, and step 4 with it where there is nothing else to do. */
  async receive(deliveries: readonly Delivery[]): Promise<Received> {
    await this.#pressure.untilRoom();
    const { database, outbox, instruments, spans } = this.#parts;
    const isAtOnce = this.#atRest && deliveries.length <= atOnceMax;
    const store = (requests: readonly ReceivedRequest[]) =>
      isAtOnce ? this.#storeAndDecide(requests) : this.#store(requests);
    const receive = (batch: readonly Delivery[]) => receiveDeliveries(database, outbox, batch, store);
    const received = await (spans === undefined
      ? receive(deliveries)
      : receiveTraced(spans, deliveries, receive));
    instruments.received(received);
    return received;
  }

  /** One pass of step 4; whether it should be followed by another at once, or in so many milliseconds. */
  async processOnce(): Promise<boolean | number> {
    const { processed, held } = await this.#decide([]);
    this.#heldPasses = held > 0 ? this.#heldPasses + 1 : 0;
    if (held > 0 && processed === 0) return Math.min(idleMs, heldMsMin * 2 ** this.#heldPasses);
    return held > 0 || processed === processedMax;
  }

  async #store(requests: readonly ReceivedRequest[]): Promise<ReadonlyMap<string, number>> {
    const stored = await receiveRequests(this.#parts.database, requests);
    this.#pressure.received(stored.size);
    if (stored.size > 0) this.processing.poke();
    return stored;
  }

  /** What cannot be decided now is received all the same. */
  async #storeAndDecide(requests: readonly ReceivedRequest[]): Promise<ReadonlyMap<string, number>> {
    try {
      const { stored } = await this.#decide(requests);
      if (!this.#atRest) this.processing.poke();
      return stored;
    } catch (error) {
      // It may be in the inbox: stored once more it would count as delivered twice.
      if (isOutcomeUnknown(error)) throw error;
      this.#parts.instruments.retried('process-requests');
      return this.#store(requests);
    }
  }

  async #decide(arriving: readonly ReceivedRequest[]): Promise<Processed> {
    const { database, outbox, instruments, spans, afterCommit } = this.#parts;
    this.#atRest = false;
    const outcome = await processRequests(database, outbox, {
      measured: instruments.on,
      arriving,
      trace: spans && new DecisionTrace(spans),
    });
    const { processed, results, held, waitedSeconds } = outcome;
    const more = processed === processedMax;
    instruments.decided(processed, waitedSeconds);
    this.#pressure.decided(processed, { more });
    if (processed > 0) afterCommit(results);
    this.#atRest = held === 0 && !more;
    return outcome;
  }
}
