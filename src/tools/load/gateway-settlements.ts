import type { OrderView } from '../../orders/order.ts';
import { CodedError } from '../../platform/errors.ts';
import type { Target } from './connection.ts';
import { Latencies } from './latencies.ts';
import { getText } from './order-plan.ts';
import { Requests } from './requests.ts';
import type { SettlementReader, Settlements } from './settlements.ts';
import { Timeline } from './timeline.ts';

/** Few, so that reading is no load of its own. */
const clients = 2;
/** Orders asked for in one sample. */
const sampleMax = 10;
const pageSize = 500;
const giveUpMs = 15_000;

/** Settlements as the gateway answers them, order by order and page by page; times are whole milliseconds. */
export class GatewaySettlements implements SettlementReader {
  readonly source = 'gateway';
  readonly #target: Target;
  readonly #requests: Requests;
  readonly #users: readonly string[];

  constructor(target: Target, users: readonly string[]) {
    this.#target = target;
    this.#users = users;
    this.#requests = new Requests({ target, clients, giveUpMs });
  }

  async begin(): Promise<void> {}

  async sample(orderIds: readonly string[]): Promise<Map<string, number>> {
    const found = new Map<string, number>();
    await Promise.all(
      orderIds.slice(-sampleMax).map(async (id) => {
        const { response } = await this.#requests.send(getText(this.#target, `/orders/${id}`));
        if (response?.status !== 200) return;
        const order = JSON.parse(response.body.toString('utf8')) as OrderView;
        if (order.settled_at !== null) found.set(id, settleMs(order));
      }),
    );
    return found;
  }

  async waiting(): Promise<null> {
    return null;
  }

  async read(): Promise<Settlements> {
    const times: { created: number; settled: number | undefined }[] = [];
    const counts = { stored: 0, finished: 0, canceled: 0 };
    const users = [...this.#users];
    const readUsers = async () => {
      for (let user = users.pop(); user !== undefined; user = users.pop()) {
        for await (const order of this.#ordersOf(user)) {
          counts.stored += 1;
          if (order.status === 'FINISHED') counts.finished += 1;
          if (order.status === 'CANCELED') counts.canceled += 1;
          const settled = order.settled_at === null ? undefined : Date.parse(order.settled_at);
          times.push({ created: Date.parse(order.created_at), settled });
        }
      }
    };
    await Promise.all(Array.from({ length: clients }, readUsers));
    return { ...counts, ...placed(times) };
  }

  async *#ordersOf(user: string): AsyncGenerator<OrderView> {
    for (let cursor: string | null = ''; cursor !== null; ) {
      const after: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
      const path = `/orders?user_id=${user}&limit=${pageSize}${after}`;
      const { response, answer } = await this.#requests.send(getText(this.#target, path));
      if (response?.status !== 200) {
        const detail = `The orders of this run could not be read: the gateway answered ${answer}. Look at tillbox status.`;
        throw new CodedError('unavailable', detail);
      }
      const page = JSON.parse(response.body.toString('utf8')) as {
        orders: OrderView[];
        next_cursor: string | null;
      };
      yield* page.orders;
      cursor = page.next_cursor;
    }
  }

  async close(): Promise<void> {
    this.#requests.close();
  }
}

function settleMs({ created_at, settled_at }: OrderView): number {
  return Date.parse(settled_at ?? created_at) - Date.parse(created_at);
}

/** Distribution and course, counted from the first creation: this clock need not be the database's. */
function placed(times: readonly { created: number; settled: number | undefined }[]) {
  const begin = times.reduce((first, { created }) => Math.min(first, created), Number.POSITIVE_INFINITY);
  const latencies = new Latencies();
  const timeline = new Timeline();
  let [lastCreatedSeconds, lastSettledSeconds] = [0, 0];
  for (const { created, settled } of times) {
    lastCreatedSeconds = Math.max(lastCreatedSeconds, (created - begin) / 1_000);
    if (settled === undefined) continue;
    const seconds = (settled - begin) / 1_000;
    latencies.record(settled - created);
    timeline.record(seconds, settled - created);
    lastSettledSeconds = Math.max(lastSettledSeconds, seconds);
  }
  return { latencies, timeline, lastCreatedSeconds, lastSettledSeconds };
}
