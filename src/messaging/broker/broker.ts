import { randomUUID } from 'node:crypto';
import { type Job, PgBoss } from 'pg-boss';
import { type Connections, Database } from '../../platform/database.ts';
import type { Logger } from '../../platform/logging.ts';
import { plansByIndex, withSettings } from '../../platform/postgres-connection.ts';
import { PreparedClient } from '../../platform/prepared-client.ts';
import { within } from '../../platform/within.ts';
import { publishConnectionsMax, workConnectionsMax } from '../connections.ts';
import { type Queue, queues } from '../messages.ts';
import { type QueueDepth, queueDepthStatement } from '../queue-depth-store.ts';
import { brokerConnection, through } from './connection.ts';
import { poolOf } from './pool.ts';
import { Supervision } from './supervision.ts';

/** Jobs fetched together, hence at most 2,000 messages handled in one transaction. */
const jobsFetchedMax = 20;
/** Polling is only the safety net for what NOTIFY does not announce: retries and expired leases. */
const notifiedPollingSeconds = 2;
/** While the connection that listens is down. */
const pollingSeconds = 1;
/** Jobs that wait in a queue whose receiver keeps up: fewer than it takes at once. */
const backlogJobs = jobsFetchedMax;
/** How long after its publication a job must still be there; well below the hour it is kept. */
const witnessMsMax = 600_000;
const stopMsMax = 5_000;
const complaintIntervalMs = 10_000;

/** What one job carries; a dead letter's job also says why. */
export interface JobData {
  messages: unknown[];
  dead_letter?: object;
}

/** One job to be: its queue and what it carries. */
export interface Publication {
  queue: string;
  data: JobData;
}

/** A job that was certainly published, to be looked for later. */
interface Witness {
  queue: string;
  id: string;
  /** performance.now() */
  at: number;
}

/** One message as it came, and the job it came in. A job that is no batch arrives as one message. */
export interface Delivery {
  message: unknown;
  jobId: string;
  /** When its job was published, by the broker's clock; told only to who asks for it. */
  publishedAt?: Date;
}

/**
 * The connection of one service to the broker. A job carries a batch of messages, because a job costs the same
 * whatever it carries. Claims are leases: a worker that dies gives its jobs back within seconds.
 */
export class Broker {
  readonly #boss: PgBoss;
  readonly #supervision: Supervision;
  readonly #publishing: Database;
  readonly #onTrouble: () => void;
  readonly #log: Logger;
  #complainedAt = Number.NEGATIVE_INFINITY;
  /** The job published last, and the one that had been so when `hasForgotten` was asked before. */
  #published: Witness | undefined;
  #witness: Witness | undefined;

  /** @param options.url connection string of the broker's role @param options.name of the service */
  constructor(options: {
    url: string;
    name: string;
    onTrouble?: (() => void) | undefined;
    log: Logger;
  }) {
    this.#log = options.log;
    this.#onTrouble = options.onTrouble ?? (() => {});
    // A claim or a completion that a crash of the server forgets only means that the job is delivered again.
    const settings = { ...plansByIndex, synchronous_commit: 'off' };
    this.#boss = new PgBoss({
      ...brokerConnection(withSettings(options.url, settings), options.name),
      Client: PreparedClient,
      max: workConnectionsMax,
      useListenNotify: true,
      supervise: false,
      instanceName: options.name,
    } as ConstructorParameters<typeof PgBoss>[0]);
    // Apart, for two reasons: what is published must last, and its statement is worth preparing.
    this.#publishing = new Database({
      url: options.url,
      name: `tillbox ${options.name} broker`,
      connectionsMax: publishConnectionsMax,
      log: options.log,
    });
    this.#supervision = new Supervision({ ...options, onError: (error) => this.#complain(error) });
    this.#boss.on('error', (error) => this.#complain(error));
    this.#boss.on('warning', ({ message }) => this.#log.debug({ warning: message }, 'broker warning'));
  }

  /** Connects. Rejects while the broker is away or not migrated; may then be called again. */
  async start(): Promise<void> {
    await this.#boss.start();
    await this.#supervision.start();
  }

  /** Publishes jobs, one statement and one NOTIFY a queue. When it rejects, they may have been published. */
  async publish(publications: readonly Publication[]): Promise<void> {
    const byQueue = Map.groupBy(publications, ({ queue }) => queue);
    for (const [queue, jobs] of byQueue) {
      const id = randomUUID();
      await this.#boss.insert(
        queue,
        jobs.map(({ data }, index) => (index === 0 ? { id, data } : { data })),
        { db: through(this.#publishing, `broker_insert_${queue}`) },
      );
      this.#published = { queue, id, at: performance.now() };
    }
  }

  /**
   * Whether the broker has lost what it was told: a job this process published is gone long before its time,
   * because the broker was wiped, or restored from an earlier state. Each loss is told once. Ask every few
   * seconds; a loss is noticed when something was published before the previous call. Rejects while the
   * broker is away.
   */
  async hasForgotten(): Promise<boolean> {
    const witness = this.#witness;
    const isRecent = witness !== undefined && performance.now() - witness.at < witnessMsMax;
    const found = isRecent ? await this.#boss.findJobs(witness.queue, { id: witness.id }) : undefined;
    // What was published meanwhile may be there, and be no proof of what came before.
    const forgotten = found?.length === 0;
    this.#witness = forgotten ? undefined : this.#published;
    return forgotten;
  }

  /**
   * How long ago the youngest of the queues was made, in milliseconds: what was published before may be in none. Rejects
   * while the broker is away or not migrated.
   */
  async ageMs(): Promise<number> {
    const made = await Promise.all(queues.map((queue) => this.#boss.getQueue(queue)));
    const times = made.map((queue) => (queue?.createdOn ?? new Date()).getTime());
    return Math.max(0, Date.now() - Math.max(...times));
  }

  /**
   * Whether messages wait in the queues because nobody keeps up with them, as they were counted a moment ago.
   * Rejects while the broker is away.
   */
  async hasBacklog(): Promise<boolean> {
    await this.#supervision.count();
    const stats = await Promise.all(queues.map((queue) => this.#boss.getQueueStats(queue)));
    return stats.flat().some(({ readyCount }) => readyCount > backlogJobs);
  }

  /**
   * Hands every batch of messages to the handler, and completes its jobs when that resolves. When it
   * rejects they come again after one to five seconds, for as long as it takes.
   * @param measured whether deliveries say when they were published, which costs more columns of each job
   */
  async receive(
    queue: Queue,
    handler: (deliveries: Delivery[]) => Promise<void>,
    { measured = false } = {},
  ): Promise<void> {
    const options = {
      includeMetadata: measured,
      batchSize: jobsFetchedMax,
      burstWhenBatchFull: true,
      pollingIntervalSeconds: pollingSeconds,
      notifyPollingIntervalSeconds: notifiedPollingSeconds,
    };
    await this.#boss.work(queue, options, async (jobs: Job<unknown>[]) => {
      try {
        await handler(jobs.flatMap(toDeliveries));
      } catch (error) {
        this.#complain(error);
        throw error;
      }
    });
    this.#supervision.watch(queue, { measured });
  }

  /** The jobs of a queue by state, as pg-boss's statistics counted them some seconds ago. Rejects while it is away. */
  async jobsIn(queue: string): Promise<Record<string, number>> {
    const [stats] = await this.#boss.getQueueStats(queue);
    if (stats === undefined) return {};
    const { readyCount, deferredCount, activeCount, failedCount } = stats;
    return { ready: readyCount, deferred: deferredCount, active: activeCount, failed: failedCount };
  }

  /** How these queues stand, in messages; longer ones than `countedMax` jobs are estimated. Rejects while it is away. */
  async depthsOf(names: readonly string[], countedMax: number): Promise<QueueDepth[]> {
    const { text } = queueDepthStatement('queues_broker', names, countedMax);
    return (await this.#boss.getDb().executeSql(text)).rows;
  }

  /** Its connections now, of whatever kind, without the one that listens. */
  get connections(): Connections {
    const pools = [poolOf(this.#boss), this.#publishing.connections, this.#supervision.connections];
    const sum = (count: keyof Connections) => pools.reduce((total, pool) => total + pool[count], 0);
    return { used: sum('used'), idle: sum('idle'), wanted: sum('wanted') };
  }

  /** Lets handlers end, gives up after five seconds. May be called twice, or before start. */
  async stop(): Promise<void> {
    const options = { timeout: stopMsMax - 1_000 };
    const stopped = Promise.allSettled([
      this.#boss.stop(options),
      this.#supervision.stop(options),
      this.#publishing.close(),
    ]);
    await within(stopMsMax, stopped);
  }

  /** An outage makes every poll fail: tell it once in a while. */
  #complain(error: unknown): void {
    this.#onTrouble();
    if (performance.now() - this.#complainedAt < complaintIntervalMs) return;
    this.#complainedAt = performance.now();
    this.#log.warn({ err: error }, 'broker trouble, will be repeated');
  }
}

function toDeliveries(job: Job<unknown>): Delivery[] {
  const { id: jobId, data } = job;
  // There when jobs are fetched with all that is known of them.
  const published = 'createdOn' in job ? { publishedAt: job.createdOn as Date } : {};
  const messages =
    typeof data === 'object' && data !== null && 'messages' in data ? data.messages : undefined;
  if (!Array.isArray(messages)) return [{ message: data, jobId, ...published }];
  return messages.map((message) => ({ message, jobId, ...published }));
}
