import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

/** One answer to a probe. */
export interface Answered {
  what: string;
  status: number;
  /** When it was asked, by performance.now(). */
  at: number;
  ms: number;
}

const pauseMs = 100;

/** What is asked only to know how slow this machine is just now: it needs nothing but the gateway's process. */
const control = 'alive';

/**
 * What a client must never get: no answer, a bug, or one that comes too late. For people. An answer may take
 * longer by as much as the gateway took at the same time to say that it is alive: that is the machine, busy
 * with other things.
 */
export function unacceptable(answers: readonly Answered[], msMax: number): string[] {
  const alive = answers.filter(({ what }) => what === control);
  const stallMs = ({ at, ms }: Answered) =>
    alive.filter((one) => one.at < at + ms && one.at + one.ms > at).reduce((sum, one) => sum + one.ms, 0);
  return answers
    .filter((answer) => {
      const { what, status, ms } = answer;
      return status === 0 || status === 500 || (what !== control && ms > msMax + stallMs(answer));
    })
    .map(({ what, status, ms }) => `${what}: ${status} after ${Math.round(ms)} ms`);
}

/**
 * Asks a gateway the same few things again and again until stopped: an order, a top-up, a balance, a list,
 * each on a connection of its own. It does not repeat what is refused.
 */
export class Probe {
  readonly #url: string;
  readonly answers: Answered[] = [];
  #running = true;
  readonly #loops: Promise<void>[];

  /** @param options.onlyControl asks nothing else than whether it is alive: how slow this machine is */
  constructor(url: string, { onlyControl = false } = {}) {
    this.#url = url;
    this.#loops = [this.#loop(control, ['/livez', {}])];
    if (onlyControl) return;
    const post = (body: object) => ({ method: 'POST', body: JSON.stringify(body) });
    this.#loops.push(
      this.#loop('order', ['/orders', post({ user_id: 'probe', amount: '0.01' })]),
      this.#loop('topup', ['/accounts/probe/topups', post({ amount: '0.01' })]),
      this.#loop('balance', ['/accounts/probe', {}]),
      this.#loop('list', ['/orders?user_id=probe', {}]),
    );
  }

  async stop(): Promise<Answered[]> {
    this.#running = false;
    await Promise.all(this.#loops);
    return this.answers;
  }

  async #loop(what: string, [path, init]: [string, RequestInit]): Promise<void> {
    while (this.#running) {
      const since = performance.now();
      const headers = { 'content-type': 'application/json', 'idempotency-key': randomUUID() };
      const status = await fetch(`${this.#url}${path}`, {
        ...init,
        headers: init.method === undefined ? {} : headers,
        signal: AbortSignal.timeout(20_000),
      }).then(
        (answer) => answer.arrayBuffer().then(() => answer.status),
        () => 0,
      );
      const answered: Answered = { what, status, at: since, ms: performance.now() - since };
      this.answers.push(answered);
      await sleep(pauseMs);
      // A machine that is busy is late to wake, too.
      if (what === control) answered.ms = performance.now() - since - pauseMs;
    }
  }
}
