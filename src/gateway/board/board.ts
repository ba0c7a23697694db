import type { ServerResponse } from 'node:http';
import type { OrdersReport, PaymentsReport, RatesReport } from '../../platform/board-report.ts';
import { CodedError } from '../../platform/errors.ts';
import { pause } from '../../platform/lifecycle.ts';
import type { Asked } from '../instance.ts';
import type { Upstreams } from '../upstreams.ts';
import {
  type Answered,
  type BoardDocument,
  blindSpots,
  boardDocument,
  reportOf,
  type Seen,
} from './board-document.ts';
import { chooseShown, type Shown } from './shown-orders.ts';
import { Sight } from './sight.ts';
import { Watcher } from './watcher.ts';

/** How often the services are asked, while somebody watches. */
const everyMs = 1_000;
/** Each costs some kilobytes a second. */
export const watchersMax = 100;
/** A stream ends after so long and is asked for again, with a token that still counts: the time one is believed. */
const watchMsMax = 300_000;

/** How a board is set up. */
export interface BoardSettings {
  upstreams: Record<'orders' | 'payments', Pick<Upstreams, 'askOne' | 'askAll'>>;
  everyMs?: number;
  watchersMax?: number;
  watchMsMax?: number;
}

/**
 * The live board: asks the services how they stand and tells everybody who watches, once for all of them. A second
 * after the last one left it asks nothing any more, and remembers nothing.
 */
export class Board {
  readonly #settings: Required<Omit<BoardSettings, 'upstreams'>>;
  readonly #upstreams: BoardSettings['upstreams'];
  readonly #watchers = new Set<Watcher>();
  #sights: ReturnType<typeof openSights>;
  #shown: Shown[] = [];
  readonly #blindSince = new Map<string, string>();
  #last: string | undefined;
  #running: Promise<void> | undefined;
  readonly #stopping = new AbortController();

  constructor({ upstreams, ...settings }: BoardSettings) {
    this.#upstreams = upstreams;
    this.#settings = { everyMs, watchersMax, watchMsMax, ...settings };
    this.#sights = openSights(upstreams);
  }

  /** How many watch. */
  get size(): number {
    return this.#watchers.size;
  }

  /** Refuses one watcher too many. @throws CodedError `overloaded` */
  checkRoom(): void {
    if (!this.#stopping.signal.aborted && this.#watchers.size < this.#settings.watchersMax) return;
    const detail = `The board is watched by ${this.#watchers.size} already. Close one, or try again later.`;
    throw new CodedError('overloaded', detail, { retryAfterSeconds: 10 });
  }

  /** Tells an answer, whose head is written, how it stands: now and each second, until it is closed. */
  watch(response: ServerResponse): void {
    const watcher = new Watcher(response);
    const timer = setTimeout(() => watcher.end(), this.#settings.watchMsMax).unref();
    response.once('close', () => {
      clearTimeout(timer);
      this.#watchers.delete(watcher);
    });
    this.#watchers.add(watcher);
    if (this.#last !== undefined) watcher.send(this.#last, performance.now());
    this.#running ??= this.#run();
  }

  /** Ends all streams. May be called twice, or first. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const watcher of this.#watchers) watcher.end();
    this.#watchers.clear();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#watchers.size > 0) {
      const begunAt = performance.now();
      const document = await this.look();
      this.#last = `event: board\ndata: ${JSON.stringify(document)}\n\n`;
      for (const watcher of this.#watchers) watcher.send(this.#last, performance.now());
      await pause(this.#settings.everyMs - (performance.now() - begunAt), this.#stopping.signal);
    }
    // Whoever comes next must not be told what was.
    this.#sights = openSights(this.#upstreams);
    this.#shown = [];
    this.#blindSince.clear();
    this.#last = undefined;
    this.#running = undefined;
  }

  /** One look at everything. */
  async look(): Promise<BoardDocument> {
    const { orders, payments, rates } = this.#sights;
    const path = `/board${this.#shown.length === 0 ? '' : `?orders=${this.#shown.map(({ id }) => id).join(',')}`}`;
    await Promise.all([orders.look(path), payments.look(path), rates.orders.look(), rates.payments.look()]);
    const seen: Seen = {
      orders: orders.value,
      payments: payments.value,
      rates: { orders: rates.orders.value ?? [], payments: rates.payments.value ?? [] },
    };
    const known = reportOf(seen.orders)?.orders.map(({ id }) => id) ?? [];
    this.#shown = chooseShown(this.#shown, known, performance.now());
    return boardDocument(seen, {
      at: new Date(),
      shown: this.#shown.map(({ id }) => id),
      blind: this.#blindSpots(seen),
    });
  }

  #blindSpots(seen: Seen) {
    const spots = blindSpots(seen);
    const now = new Date().toISOString();
    for (const what of this.#blindSince.keys()) {
      if (!spots.some((spot) => spot.what === what)) this.#blindSince.delete(what);
    }
    return spots.map((spot) => {
      const since = this.#blindSince.get(spot.what) ?? now;
      this.#blindSince.set(spot.what, since);
      return { ...spot, since };
    });
  }
}

/** What is looked at: any instance for what all of one service know, each of them for what it did itself. */
function openSights({ orders, payments }: BoardSettings['upstreams']) {
  const rates = (upstreams: typeof orders) =>
    new Sight(async () => (await upstreams.askAll('/board/rates')).map(ratesIn));
  return {
    orders: new Sight(async (path: string) => answered<OrdersReport>(await orders.askOne(path))),
    payments: new Sight(async (path: string) => answered<PaymentsReport>(await payments.askOne(path))),
    rates: { orders: rates(orders), payments: rates(payments) },
  };
}

function answered<Report>(asked: Asked | undefined): Answered<Report> | undefined {
  if (asked === undefined) return undefined;
  return asked.statusCode === 200 ? { report: asked.answer as Report } : { refused: true };
}

function ratesIn({ statusCode, answer }: { statusCode: number | undefined; answer: unknown }) {
  return statusCode === 200 ? (answer as RatesReport) : undefined;
}
