import type { StoredDepth } from '../../messaging/depth-store.ts';
import type { QueueDepth } from '../../messaging/queue-depth-store.ts';
import { type DatabaseName, databaseNames } from '../../platform/config.ts';
import type { Queryable } from '../../platform/database.ts';
import type { Logger } from '../../platform/logging.ts';
import { within } from '../../platform/within.ts';
import type { DatabaseUrls } from '../../system/migrate.ts';
import { CommonClock, readClock } from '../common-clock.ts';
import { type QueueView, queueStatements, queueViews, waitingDeadLetters } from '../queues.ts';
import { ReadOnlyDatabases } from '../read-only-databases.ts';
import { addDecided, addPublished, addSettled, chooseDelivered, type Sample } from './sample-orders.ts';
import { StepLatencies } from './step-latencies.ts';
import type { Health, TopDocument, TopEvent } from './top-document.ts';
import {
  databaseEvents,
  type EventRow,
  healthEvents,
  type LifeRow,
  lifeEvents,
  queueEvents,
  sweepEvents,
} from './top-events.ts';
import { createdStatement, eventsStatement, livesStatement, sweptStatement } from './top-statements.ts';

/** The first measurement tells what happened in the minute before. */
const firstEventsMs = 60_000;
const firstSampleMs = 10_000;
/** A transaction that is slower than this commits what is older than news. */
const commitMsMax = 500;
/** Clocks are compared so often: they drift slowly. */
const clockEveryMs = 30_000;
/** A daemon that does not answer must not hold back what the databases say. */
const healthMsMax = 500;

/** Measures the whole system once a round, read-only, at a cost that does not grow with what is stored. */
export class Top {
  readonly #databases: ReadOnlyDatabases;
  readonly #askHealth: () => Promise<Health>;
  readonly #latencies = new StepLatencies();
  #clocks: ConstructorParameters<typeof CommonClock>[0] = {};
  #clocksAt = Number.NEGATIVE_INFINITY;
  /** By each database's own clock: up to when events, and settled orders, are told. */
  readonly #eventsUntil: Partial<Record<DatabaseName, number>> = {};
  #sampledUntil: number | undefined;
  #asking: Promise<void> | undefined;
  #health: Health | null = null;
  #told: { health: Health | null; away: TopDocument['away'] } = { health: null, away: [] };

  /**
   * @param options.urls of administrators, or of roles that may read
   * @param options.health asks the daemons how they are; may take its time
   */
  constructor(options: { urls: DatabaseUrls; health: () => Promise<Health>; log: Logger }) {
    this.#databases = new ReadOnlyDatabases({ urls: options.urls, name: 'tillbox top', log: options.log });
    this.#askHealth = options.health;
  }

  /** One measurement. A database that is away is named in it, and what only it knows is null. */
  async measure(): Promise<TopDocument> {
    const away: TopDocument['away'] = [];
    const read = async <Result>(name: DatabaseName, work: (db: Queryable) => Promise<Result>) => {
      if (away.some(({ database }) => database === name)) return undefined;
      const outcome = await this.#databases.in(name, work);
      if ('result' in outcome) return outcome.result;
      away.push({ database: name, message: outcome.away });
      return undefined;
    };
    const asked = this.#refreshHealth();
    await this.#refreshClocks(read);
    const [orders, payments, broker] = await Promise.all([
      read('orders', (db) => this.#readOrders(db)),
      read('payments', (db) => db.query<StoredDepth>(queueStatements.payments)),
      read('broker', (db) => this.#readBroker(db)),
    ]);
    if (broker !== undefined) await this.#sample(broker.sample, read);
    await asked;
    const queues = queueViews([...(orders?.depths ?? []), ...(payments ?? [])], broker?.depths ?? []);
    const now = new Date();
    const events = [
      ...(orders?.events ?? []),
      ...(broker?.events ?? []),
      ...healthEvents(this.#told.health, this.#health, now),
      ...databaseEvents(this.#told.away, away, now),
    ].sort((a, b) => (a.at < b.at ? -1 : 1));
    this.#told = { health: this.#health, away };
    return {
      at: now.toISOString(),
      rates: { created_per_s: tenths(orders?.createdPerS), ...queueRates(queues) },
      latencies_ms: this.#latencies.summary(),
      queues,
      dead_letters: broker === undefined ? null : waitingDeadLetters(queues),
      health: this.#health,
      events,
      notes: new CommonClock(this.#clocks).notes(),
      away,
    };
  }

  async close(): Promise<void> {
    await this.#databases.close();
  }

  async #readOrders(db: Queryable) {
    const depths = await db.query<StoredDepth>(queueStatements.orders);
    const [created] = await db.query<{ now: number; created_per_s: number }>(createdStatement);
    const now = created?.now ?? 0;
    const [swept] = await db.query<{ count: number; at: number | null }>(sweptStatement, [
      ...this.#news('orders', now),
    ]);
    return { depths, createdPerS: created?.created_per_s, events: sweepEvents(swept) };
  }

  async #readBroker(db: Queryable) {
    const depths = await db.query<QueueDepth>(queueStatements.broker);
    const now = depths[0]?.at.getTime() ?? 0;
    const [since, until] = this.#news('broker', now);
    const rows = await db.query<EventRow>(eventsStatement, [since, until]);
    const lives = await db.query<LifeRow>(livesStatement, [since, until]);
    const delivered = await chooseDelivered(db, this.#sampledUntil ?? now - firstSampleMs);
    this.#sampledUntil = delivered.until;
    const events: TopEvent[] = [...queueEvents(rows), ...lifeEvents(lives, since, until)];
    return { depths, events, sample: delivered.sample };
  }

  /** From when until when events of a database are news. What is committed a little late is not missed. */
  #news(name: DatabaseName, now: number): [since: number, until: number] {
    const until = now - commitMsMax;
    const since = this.#eventsUntil[name] ?? until - firstEventsMs;
    this.#eventsUntil[name] = until;
    return [since, until];
  }

  async #sample(
    sample: Sample,
    read: <Result>(
      name: DatabaseName,
      work: (db: Queryable) => Promise<Result>,
    ) => Promise<Result | undefined>,
  ): Promise<void> {
    const [jobs] = await Promise.all([
      read('payments', (db) => addDecided(db, sample)),
      read('orders', (db) => addSettled(db, sample)),
    ]);
    if (jobs !== undefined) await read('broker', (db) => addPublished(db, sample, jobs));
    this.#latencies.add([...sample.values()], new CommonClock(this.#clocks), performance.now());
  }

  async #refreshClocks(
    read: <Result>(
      name: DatabaseName,
      work: (db: Queryable) => Promise<Result>,
    ) => Promise<Result | undefined>,
  ): Promise<void> {
    if (performance.now() - this.#clocksAt < clockEveryMs) return;
    this.#clocksAt = performance.now();
    await Promise.all(
      databaseNames.map(async (name) => {
        const clock = await read(name, readClock);
        if (clock !== undefined) this.#clocks = { ...this.#clocks, [name]: clock };
      }),
    );
  }

  /** Asks anew unless the last question is still open; waits for the answer, but not for long. */
  async #refreshHealth(): Promise<void> {
    this.#asking ??= this.#askHealth()
      .then((health) => {
        this.#health = health;
      })
      .catch(() => {})
      .finally(() => {
        this.#asking = undefined;
      });
    await within(healthMsMax, this.#asking);
  }
}

function queueRates(queues: readonly QueueView[]) {
  const rate = (name: string, direction: 'in_per_s' | 'out_per_s') =>
    queues.find((queue) => queue.name === name)?.[direction] ?? null;
  return {
    received_per_s: rate('payment-requests', 'out_per_s'),
    decided_per_s: rate('payment-results', 'in_per_s'),
    settled_per_s: rate('payment-results', 'out_per_s'),
  };
}

function tenths(value: number | undefined): number | null {
  return value === undefined ? null : Math.round(value * 10) / 10;
}
