import { PgBoss, type Queue as QueueSettings, type SchemaDriftReport } from 'pg-boss';
import type { Queryable } from '../../platform/database.ts';
import { deadLetterQueueOf } from '../dead-letters.ts';
import { queues } from '../messages.ts';
import { brokerConnection, through, toolOptions } from './connection.ts';

/** A lease: longer than any handler may take, short enough that a dead worker's jobs come back soon. */
const leaseSeconds = 10;
const tenYearsSeconds = 315_360_000;
/** Completed jobs, kept to look at. */
const completedKeptSeconds = 3_600;

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

/**
 * Installs or upgrades pg-boss's schema and the queues; the schema itself exists and belongs to the role in
 * the URL. Safe to repeat. Called by `tillbox migrate` alone.
 */
export async function installBroker(url: string, patience: { connectMs?: number } = {}): Promise<void> {
  const boss = new PgBoss({
    ...brokerConnection(url, 'migrate', patience),
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
