import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, fetch } from 'undici';
import { formatAmount } from '../../platform/money.ts';
import type { Random } from '../random.ts';
import type { ClientRecord, Outcome } from './client-record.ts';

/** Longer than the gateway takes to refuse. */
const answerMsMax = 5_000;
const inFlightMax = 256;
/** Orders remembered to be read again. */
const watchedMax = 500;

/** For one order, how many top-ups, and as many reads, there are besides. */
const besidesEach = 1 / 8;

/**
 * Clients of a gateway: orders at a steady rate (open loop), top-ups and reads besides, each write under its own key,
 * noted before it is sent. Half of what ended unknown is sent again under the same key, as a client would.
 */
export class ChaosLoad {
  readonly #url: string;
  readonly #record: ClientRecord;
  readonly #random: Random;
  readonly #agent: Agent;
  readonly #users: readonly string[];
  readonly #ordersPerSecond: number;
  readonly #watched: string[] = [];
  readonly #inFlight = new Set<Promise<void>>();
  #running = false;
  #loop: Promise<void> = Promise.resolve();

  constructor(options: {
    url: string;
    record: ClientRecord;
    random: Random;
    users: readonly string[];
    ordersPerSecond: number;
  }) {
    this.#url = options.url;
    this.#record = options.record;
    this.#random = options.random;
    this.#users = options.users;
    this.#ordersPerSecond = options.ordersPerSecond;
    this.#agent = new Agent({ connections: inFlightMax, connect: { timeout: 2_000 } });
  }

  /** Creates and funds the users, before the faults begin. */
  async prepare(): Promise<void> {
    for (const userId of this.#users) {
      await this.#post('/accounts', { user_id: userId }, randomUUID());
      await this.#topUp(userId, BigInt(this.#random.between(50, 400)) * 100n);
    }
  }

  start(): void {
    this.#running = true;
    this.#loop = this.#run();
  }

  /** Sends nothing more and waits for the answers under way. */
  async stop(): Promise<void> {
    this.#running = false;
    await this.#loop;
    await Promise.all(this.#inFlight);
    await this.#agent.destroy();
  }

  async #run(): Promise<void> {
    const startedAt = performance.now();
    let sent = 0;
    while (this.#running) {
      const due = Math.floor(((performance.now() - startedAt) / 1_000) * this.#ordersPerSecond);
      for (; sent < due; sent += 1) {
        // When the system stands still the clients wait as well, or they would be the fault.
        if (this.#inFlight.size < inFlightMax) this.#sendSome();
      }
      await sleep(10);
    }
  }

  #sendSome(): void {
    const userId = () => this.#random.pick(this.#users);
    this.#follow(this.#order(userId()));
    if (this.#random.next() < besidesEach) this.#follow(this.#topUp(userId(), 500n));
    if (this.#random.next() < besidesEach) this.#follow(this.#readAgain());
  }

  #follow(sending: Promise<void>): void {
    this.#inFlight.add(sending);
    void sending.finally(() => this.#inFlight.delete(sending));
  }

  async #order(userId: string): Promise<void> {
    const amount = formatAmount(BigInt(this.#random.between(1, 2_000)));
    const id = await this.#write('order', '/orders', { user_id: userId, amount }, userId, amount);
    if (id === undefined) return;
    this.#watched.push(id);
    if (this.#watched.length > watchedMax) this.#watched.shift();
  }

  async #topUp(userId: string, minorUnits: bigint): Promise<void> {
    const amount = formatAmount(minorUnits);
    await this.#write('topup', `/accounts/${userId}/topups`, { amount }, userId, amount);
  }

  async #write(
    kind: 'order' | 'topup',
    path: string,
    body: object,
    userId: string,
    amount: string,
  ): Promise<string | undefined> {
    const key = randomUUID();
    this.#record.begin(key, { kind, userId, amount });
    const attempts = this.#random.next() < 0.5 ? 1 : 4;
    let triedBefore = false;
    for (let attempt = 1; attempt <= attempts; attempt += 1) {
      const { outcome, id } = await this.#post(path, body, key);
      this.#record.end(key, outcome, { triedBefore, ...(id === undefined ? {} : { id }) });
      if (outcome === 'ok') return id;
      if (outcome === 'unknown') triedBefore = true;
      await sleep(200 * attempt);
    }
    return undefined;
  }

  async #post(path: string, body: object, key: string): Promise<{ outcome: Outcome; id?: string }> {
    try {
      const answer = await fetch(`${this.#url}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'idempotency-key': key },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(answerMsMax),
        dispatcher: this.#agent,
      });
      const { id, code } = (await answer.json()) as { id?: string; code?: string };
      if (answer.ok) return { outcome: 'ok', ...(id === undefined ? {} : { id }) };
      return { outcome: code === 'outcome-unknown' || code === 'internal' ? 'unknown' : 'failed' };
    } catch (error) {
      const { code } = ((error as Error).cause ?? {}) as { code?: string };
      return { outcome: code === 'ECONNREFUSED' ? 'failed' : 'unknown' };
    }
  }

  async #readAgain(): Promise<void> {
    if (this.#watched.length === 0) return;
    const id = this.#random.pick(this.#watched);
    const askedAt = performance.now();
    try {
      const answer = await fetch(`${this.#url}/orders/${id}`, {
        signal: AbortSignal.timeout(answerMsMax),
        dispatcher: this.#agent,
      });
      const body = (await answer.json()) as { status?: string };
      if (answer.status === 200 && body.status !== undefined) {
        this.#record.seen(id, body.status, askedAt, performance.now());
      }
      if (answer.status === 404)
        this.#record.regressions.push({ key: id, detail: 'was acknowledged, then not found' });
    } catch {
      // A read that fails says nothing.
    }
  }
}
