import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, fetch } from 'undici';
import { formatAmount } from '../../src/platform/money.ts';
import { audit } from '../../src/tools/audit/audit.ts';
import type { HarmedSystem } from './harmed-system.ts';

/** Longer than the gateway takes to refuse. */
const answerMsMax = 10_000;
const inFlightMax = 300;
/** As Retry-After asks; spread, so that the clients do not come all at once. */
const retryMs = 1_000;
/** What every acknowledged order must be final within, after the fault has ended. */
export const recoveryMsMax = 30_000;

interface Sent {
  userId: string;
  amount: bigint;
  /** As acknowledged. */
  id?: string;
  /** Why it was never acknowledged. */
  failure?: string;
}

/** An answer that was no success: its status (0: none came), its code, how long it took. */
export interface Refusal {
  status: number;
  code: string;
  ms: number;
}

/**
 * Clients that order at a steady rate, each order under a key of its own, and repeat what is refused with 503
 * or not answered under the same key until it is acknowledged. They remember everything.
 */
export class OrderLoad {
  readonly #system: HarmedSystem;
  readonly #perSecond: number;
  readonly #funded: boolean;
  readonly #agent = new Agent({ connections: inFlightMax, connect: { timeout: 2_000 } });
  readonly #inFlight = new Set<Promise<void>>();
  readonly sent = new Map<string, Sent>();
  readonly refusals: Refusal[] = [];
  #users: readonly string[] = [];
  #running = false;
  /** The test is over, and perhaps failed: nothing is repeated any more. */
  #abandoned = false;
  #loop: Promise<void> = Promise.resolve();

  /** @param options.funded false when payments is away: its users have no accounts */
  constructor(system: HarmedSystem, { perSecond = 60, funded = true } = {}) {
    this.#system = system;
    this.#perSecond = perSecond;
    this.#funded = funded;
    system.onTestEnd(async () => {
      this.#running = false;
      this.#abandoned = true;
      await this.#agent.destroy();
    });
  }

  get acknowledged(): Map<string, string> {
    return new Map([...this.sent].flatMap(([key, { id }]) => (id === undefined ? [] : [[key, id]])));
  }

  /** Makes users (one rich, some who run out, one without an account) and begins to order. */
  async start(): Promise<this> {
    const run = randomUUID().slice(0, 8);
    this.#users = ['rich', 'poor-1', 'poor-2', 'poor-3', 'nobody'].map((name) => `${name}-${run}`);
    for (const userId of this.#funded ? this.#users.slice(0, -1) : []) {
      await this.writeUntilDone('/accounts', { user_id: userId });
      const amount = userId.startsWith('rich') ? '1000000.00' : '20.00';
      await this.writeUntilDone(`/accounts/${userId}/topups`, { amount });
    }
    this.#running = true;
    this.#loop = this.#run();
    return this;
  }

  /** Sends nothing new, and waits until what was sent is acknowledged. */
  async stop(): Promise<void> {
    this.#running = false;
    await this.#loop;
    await Promise.all(this.#inFlight);
    await this.#agent.destroy();
  }

  async #run(): Promise<void> {
    const startedAt = performance.now();
    let count = 0;
    while (this.#running) {
      const due = Math.floor(((performance.now() - startedAt) / 1_000) * this.#perSecond);
      for (; count < due; count += 1) if (this.#inFlight.size < inFlightMax) this.#sendOne(count);
      await sleep(10);
    }
  }

  #sendOne(count: number): void {
    const userId = this.#users[count % this.#users.length] as string;
    const amount = BigInt(1 + (count % 150));
    const key = randomUUID();
    const order: Sent = { userId, amount };
    this.sent.set(key, order);
    const body = { user_id: userId, amount: formatAmount(amount) };
    const sending = this.writeUntilDone('/orders', body, key).then(
      (id) => {
        order.id = id;
      },
      (error: Error) => {
        order.failure = error.message;
      },
    );
    this.#inFlight.add(sending);
    void sending.finally(() => this.#inFlight.delete(sending));
  }

  /** Repeats a write under its key until it succeeds; answers its id. Gives up after two minutes; rejects at once when it is answered with anything but 503. */
  async writeUntilDone(path: string, body: object, key = randomUUID() as string): Promise<string> {
    const deadline = performance.now() + 120_000;
    for (let attempt = Math.floor(Math.random() * 100); ; attempt += 1) {
      const { gatewayUrls } = this.#system;
      const url = gatewayUrls[attempt % gatewayUrls.length] as string;
      const { status, code, id } = await this.#post(`${url}${path}`, body, key);
      if (status === 201) return id;
      // Created by a first try whose answer was lost.
      if (status === 409 && path === '/accounts') return '';
      if (status !== 503 && status !== 0) throw new Error(`${path} was answered with ${status} ${code}`);
      if (this.#abandoned || performance.now() > deadline)
        throw new Error(`${path} was not acknowledged in two minutes: ${code}`);
      await sleep(retryMs * (0.5 + Math.random() / 2));
    }
  }

  async #post(url: string, body: object, key: string) {
    const since = performance.now();
    const refuse = (status: number, code: string) => {
      this.refusals.push({ status, code, ms: performance.now() - since });
      return { status, code, id: '' };
    };
    try {
      const answer = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'idempotency-key': key },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(answerMsMax),
        dispatcher: this.#agent,
      });
      const { id = '', code = '' } = (await answer.json()) as { id?: string; code?: string };
      return answer.status === 201 ? { status: 201, code, id } : refuse(answer.status, code);
    } catch (error) {
      const cause = (error as { cause?: { code?: string } }).cause;
      return refuse(0, cause?.code ?? (error as Error).name);
    }
  }
}

/** What came of a fault. */
export interface Recovery {
  orders: number;
  refused: number;
  /** Until the last order was final, counted from the end of the fault. */
  finalAfterMs: number;
}

/**
 * The judgement after a fault has ended: the load ends, everything is final within 30 s, what was acknowledged
 * is stored once and nothing else is, the audit finds nothing (dead letters would be a finding), and no daemon
 * has ended. Throws what it finds.
 * @param healedAt `performance.now()` at the end of the fault
 */
export async function expectRecovery(
  system: HarmedSystem,
  load: OrderLoad,
  { healedAt = performance.now(), withinMs = recoveryMsMax } = {},
): Promise<Recovery> {
  await load.stop();
  const finalAfterMs = await untilFinal(system, healedAt, withinMs);
  await expectStored(system, load);
  const { violations } = await audit(system.urls, { waitMs: recoveryMsMax });
  if (violations.length > 0) throw new Error(`the audit found ${JSON.stringify(violations.slice(0, 5))}`);
  if (system.crashes.length > 0) throw new Error(system.crashes.join('; '));
  return { orders: load.sent.size, refused: load.refusals.length, finalAfterMs };
}

/** Milliseconds from `since` until no order is NEW. */
export async function untilFinal(system: HarmedSystem, since: number, withinMs: number): Promise<number> {
  for (;;) {
    const rows = await system.sql<{ id: string; age: string }>(
      'orders',
      `select id, now() - created_at as age from orders.orders where status = 'NEW' order by created_at`,
    );
    const ms = Math.round(performance.now() - since);
    if (rows.length === 0) return ms;
    if (ms > withinMs)
      throw new Error(`${rows.length} orders are NEW after ${ms} ms, the first is ${rows[0]?.id}`);
    await sleep(50);
  }
}

async function expectStored(system: HarmedSystem, { sent }: OrderLoad): Promise<void> {
  const rows = await system.sql<{ key: string; id: string; user_id: string; amount: string }>(
    'orders',
    'select idempotency_key as key, id, user_id, amount from orders.orders where idempotency_key = any($1)',
    [[...sent.keys()]],
  );
  if (new Set(rows.map(({ key }) => key)).size !== rows.length) throw new Error('a key is stored twice');
  const stored = new Map(rows.map((row) => [row.key, row]));
  for (const [key, { id, userId, amount, failure }] of sent) {
    const row = stored.get(key);
    if (id === undefined) throw new Error(`key ${key} was not acknowledged: ${failure}`);
    if (row?.id !== id) throw new Error(`order ${id} was acknowledged; stored is ${row?.id}`);
    if (row.user_id !== userId || BigInt(row.amount) !== amount) throw new Error(`order ${id} is another`);
  }
}

/** Adds figures to the title of the test that runs, where every reporter shows them. */
export function tell(context: Mocha.Context, text: string): void {
  if (context.test !== undefined) context.test.title += ` [${text}]`;
}

/** The figures of a recovery for the title. */
export function told({ orders, refused, finalAfterMs }: Recovery): string {
  return `${orders} orders, ${refused} refusals, all final after ${(finalAfterMs / 1_000).toFixed(1)} s`;
}
