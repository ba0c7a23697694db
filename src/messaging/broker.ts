import { randomUUID } from 'node:crypto';
import { type Job, PgBoss, type Queue as QueueSettings, type SchemaDriftReport } from 'pg-boss';
import {
  connectionOptions,
  Database,
  type Queryable,
  type Transaction,
  withSettings,
} from '../platform/database.ts';
import type { Logger } from '../platform/logging.ts';
import { deadLetterQueueOf } from './dead-letters.ts';
import type { Queue } from './messages.ts';

/**
 * The only place that knows pg-boss. A job carries a batch of messages, because a job costs the same
 * whatever it carries. Claims are leases: a worker that dies gives its jobs back within seconds.
 */

/** Connections of one service to the broker: of its workers, of their LISTEN, for publishing, of the supervision. */
const workConnectionsMax = 2;
const publishConnectionsMax = 1;
const superviseConnectionsMax = 1;
export const brokerConnectionsMax = workConnectionsMax + 1 + publishConnectionsMax + superviseConnectionsMax;
/** Jobs fetched together, hence at most 2,000 messages handled in one transaction. */
const jobsFetchedMax = 20;
/** Polling is only the safety net for what NOTIFY does not announce: retries and expired leases. */
const pollingSeconds = 1;
/** A lease: longer than any handler may take, short enough that a dead worker's jobs come back soon. */
const leaseSeconds = 10;
/** Each daemon looks for expired leases so often: the daemons together, more often. */
const superviseSeconds = 5;
/**
 * Longer than a worker's, because statistics of a large backlog come before the expired leases; and short,
 * because while the answer to one of its statements is lost nothing is redelivered.
 */
const superviseMsMax = 12_000;
/** Jobs that wait in a queue whose receiver keeps up: fewer than it takes at once. */
const backlogJobs = jobsFetchedMax;
const tenYearsSeconds = 315_360_000;
/** Completed jobs, kept to look at. */
const completedKeptSeconds = 3_600;
/** How long after its publication a job must still be there; well below completedKeptSeconds. */
const witnessMsMax = 600_000;
const stopMsMax = 5_000;
const complaintIntervalMs = 10_000;

const schema = 'broker';
const queues = ['payment-requests', 'payment-results'] as const satisfies Queue[];

/** Every queue there is, each behind its dead-letter queue, with what makes it keep its promises. */
const queueSettings: readonly (readonly [name: string, settings: Omit<QueueSettings, 'name'>])[] =
  queues.flatMap((queue) => [
    [
      deadLetterQueueOf(queue),
      { retryLimit: 0, retentionSeconds: tenYearsSeconds, deleteAfterSeconds: tenYearsSeconds },
    ],
    [
      queue,
      {
        notify: true,
        expireInSeconds: leaseSeconds,
        // A fault that passes must never make a dead letter, however long it lasts.
        retryLimit: 1_000_000,
        retryDelay: 1,
        retryBackoff: true,
        retryDelayMax: 5,
        retentionSeconds: tenYearsSeconds,
        deleteAfterSeconds: completedKeptSeconds,
        deadLetter: deadLetterQueueOf(queue),
      },
    ],
  ]);

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

/** The connection of one service to the broker. */
export class Broker {
  readonly #boss: PgBoss;
  readonly #supervisor: PgBoss;
  readonly #publishing: Database;
  readonly #log: Logger;
  #complainedAt = Number.NEGATIVE_INFINITY;
  /** The job published last, and the one that had been so when `hasForgotten` was asked before. */
  #published: Witness | undefined;
  #witness: Witness | undefined;

  /** @param options.url connection string of the broker's role @param options.name of the service */
  constructor(options: { url: string; name: string; log: Logger }) {
    this.#log = options.log;
    const connection = brokerConnection(options.url, options.name);
    this.#boss = new PgBoss({
      // A claim or a completion that a crash of the server forgets only means that the job is delivered again.
      ...brokerConnection(withSettings(options.url, { synchronous_commit: 'off' }), options.name),
      max: workConnectionsMax,
      useListenNotify: true,
      supervise: false,
      instanceName: options.name,
    });
    // Apart, for two reasons: what is published must last, and its statement is worth preparing.
    this.#publishing = new Database({
      url: options.url,
      name: `tillbox ${options.name} broker`,
      connectionsMax: publishConnectionsMax,
      log: options.log,
    });
    // In an instance of its own: a pass that waits on a worker's connection would stop all redelivery.
    this.#supervisor = new PgBoss({
      ...connection,
      max: superviseConnectionsMax,
      query_timeout: superviseMsMax,
      statement_timeout: superviseMsMax - 1_000,
      supervise: true,
      superviseIntervalSeconds: superviseSeconds,
      monitorIntervalSeconds: superviseSeconds,
      maintenanceIntervalSeconds: 300,
      registerInstance: false,
    } as ConstructorParameters<typeof PgBoss>[0]);
    for (const boss of [this.#boss, this.#supervisor]) {
      boss.on('error', (error) => this.#complain(error));
      boss.on('warning', ({ message }) => this.#log.debug({ warning: message }, 'broker warning'));
    }
  }

  /** Connects. Rejects while the broker is away or not migrated; may then be called again. */
  async start(): Promise<void> {
    await this.#boss.start();
    await this.#supervisor.start();
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
   * Whether messages wait in the queues because nobody keeps up with them, by statistics some seconds old.
   * Rejects while the broker is away.
   */
  async hasBacklog(): Promise<boolean> {
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
      notifyPollingIntervalSeconds: pollingSeconds,
    };
    await this.#boss.work(queue, options, async (jobs: Job<unknown>[]) => {
      try {
        await handler(jobs.flatMap(toDeliveries));
      } catch (error) {
        this.#complain(error);
        throw error;
      }
    });
  }

  /** The jobs of a queue by state, as pg-boss's statistics counted them some seconds ago. Rejects while it is away. */
  async jobsIn(queue: string): Promise<Record<string, number>> {
    const [stats] = await this.#boss.getQueueStats(queue);
    if (stats === undefined) return {};
    const { readyCount, deferredCount, activeCount, failedCount } = stats;
    return { ready: readyCount, deferred: deferredCount, active: activeCount, failed: failedCount };
  }

  /** Lets handlers end, gives up after five seconds. May be called twice, or before start. */
  async stop(): Promise<void> {
    const bosses = [this.#boss, this.#supervisor];
    const stopped = Promise.allSettled([
      ...bosses.map((boss) => boss.stop({ timeout: stopMsMax - 1_000 })),
      this.#publishing.close(),
    ]);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise((resolve) => {
      timer = setTimeout(resolve, stopMsMax);
    });
    await Promise.race([stopped, late]);
    clearTimeout(timer);
  }

  /** An outage makes every poll fail: tell it once in a while. */
  #complain(error: unknown): void {
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

function brokerConnection(url: string, name: string) {
  const { types: _types, ...connection } = connectionOptions(url, `tillbox ${name} broker`);
  return { ...connection, schema, migrate: false, createSchema: false, schedule: false };
}

const toolOptions = {
  schema,
  migrate: false,
  createSchema: false,
  schedule: false,
  supervise: false,
  registerInstance: false,
};

/** pg-boss's statements in transactions of ours: for tools that deal with jobs as they lie there. */
export class StoredJobs {
  readonly #boss: PgBoss;

  /** @param database with the broker's role; the caller closes it */
  constructor(database: Queryable) {
    this.#boss = new PgBoss({ ...toolOptions, db: through(database) });
    this.#boss.on('error', () => {});
  }

  /** Rejects while the broker is away or not migrated. */
  async start(): Promise<void> {
    await this.#boss.start();
  }

  /** Completes jobs that wait, with this output. */
  async complete(tx: Transaction, queue: string, ids: readonly string[], output: object): Promise<void> {
    await this.#boss.complete(queue, [...ids], output, { includeQueued: true, db: through(tx) });
  }

  /** Adds jobs under ids of the caller's choice, and wakes their receiver; one that is there is left alone. */
  async insert(
    tx: Transaction,
    queue: string,
    jobs: readonly { id: string; data: unknown }[],
  ): Promise<void> {
    const inserts = jobs.map(({ id, data }) => ({ id, data: data as object }));
    await this.#boss.insert(queue, inserts, { db: through(tx) });
  }

  async stop(): Promise<void> {
    await this.#boss.stop({ graceful: false, close: false });
  }
}

/** Where pg-boss's statements run. Without a name they stay unprepared, as it sends them. */
function through(db: Queryable, name = '') {
  return {
    executeSql: async (text: string, values?: unknown[]) => ({
      rows: await db.query<Record<string, unknown>>({ name, text }, values),
    }),
  };
}

/** Publishes jobs from outside a service, on a connection of its own: for tools that send messages again. */
export async function publishOnce(url: string, publications: readonly Publication[]): Promise<void> {
  const boss = new PgBoss({
    ...brokerConnection(url, 'publish'),
    max: 1,
    supervise: false,
    registerInstance: false,
  });
  boss.on('error', () => {});
  await boss.start();
  try {
    for (const { queue, data } of publications) await boss.insert(queue, [{ data }]);
  } finally {
    await boss.stop({ graceful: false });
  }
}

/**
 * Installs or upgrades pg-boss's schema and the queues; the schema itself exists and belongs to the role in
 * the URL. Safe to repeat. Called by `tillbox migrate` alone.
 */
export async function installBroker(url: string): Promise<void> {
  const boss = new PgBoss({
    ...brokerConnection(url, 'migrate'),
    max: 1,
    migrate: true,
    supervise: false,
    registerInstance: false,
  });
  boss.on('error', () => {});
  await boss.start();
  try {
    // The dead-letter queues come first: the others name them.
    for (const [name, settings] of queueSettings) await putQueue(boss, name, settings);
  } finally {
    await boss.stop({ graceful: false });
  }
}

async function putQueue(boss: PgBoss, name: string, settings: Omit<QueueSettings, 'name'>): Promise<void> {
  await boss.createQueue(name, { ...settings, policy: 'standard', partition: true });
  // createQueue leaves the settings of a queue that exists as they are.
  await boss.updateQueue(name, settings);
}

/** How it stands with pg-boss's schema and the queues. */
export interface BrokerExamination {
  installed: boolean;
  /** Version of its schema in the database. */
  version: number | null;
  /** What differs from the schema this version of pg-boss makes; empty when nothing does. */
  drift: string[];
  /** Settings of queues that are not those of `installBroker`, or queues that are missing. */
  queues: string[];
}

/** Compares schema and queues with what `installBroker` makes. Reads only. Rejects while the broker is away. */
export async function examineBroker(database: Queryable): Promise<BrokerExamination> {
  const boss = new PgBoss({ ...toolOptions, db: through(database) });
  boss.on('error', () => {});
  if (!(await boss.isInstalled())) return { installed: false, version: null, drift: [], queues: [] };
  const version = await boss.schemaVersion();
  const drift = describeDrift(await boss.detectSchemaDrift());
  // It refuses to start on a schema of another version.
  const startFailure = await boss.start().then(
    () => boss.stop({ graceful: false, close: false }),
    (error: Error) => error,
  );
  if (startFailure instanceof Error) drift.unshift(startFailure.message);
  try {
    return { installed: true, version, drift, queues: await differingQueues(boss) };
  } catch (error) {
    if (drift.length === 0) throw error;
    return { installed: true, version, drift, queues: [`they cannot be read (${(error as Error).message})`] };
  }
}

async function differingQueues(boss: PgBoss): Promise<string[]> {
  const queues: string[] = [];
  for (const [name, wanted] of queueSettings) {
    const queue = (await boss.getQueue(name)) as Record<string, unknown> | null;
    if (queue === null) queues.push(`${name} is missing`);
    for (const [setting, value] of Object.entries(queue === null ? {} : wanted)) {
      if (queue?.[setting] !== value) queues.push(`${name} has ${setting} ${queue?.[setting]}, not ${value}`);
    }
  }
  return queues;
}

function describeDrift(report: SchemaDriftReport): string[] {
  const named = (rows: readonly { name: string }[], what: string) =>
    rows.map(({ name }) => `${what} ${name}`);
  const columns = report.columnDrift.map(({ table }) => `columns of ${table} differ`);
  const constraints = report.constraintDrift.map(({ table }) => `constraints of ${table} differ`);
  return [
    ...report.missingTables.map((table) => `missing table ${table}`),
    ...named(report.missing, 'missing index'),
    ...named(report.invalid, 'invalid index'),
    ...named(report.mismatched, 'changed index'),
    ...named(report.missingFunctions, 'missing function'),
    ...named(report.mismatchedFunctions, 'changed function'),
    ...columns,
    ...constraints,
    ...(report.enumDrift === null ? [] : [`changed type ${report.enumDrift.name}`]),
  ];
}
