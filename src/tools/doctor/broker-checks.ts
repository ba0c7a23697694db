import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { type BrokerExamination, examineBroker } from '../../messaging/broker/installation.ts';
import { Database } from '../../platform/database.ts';
import type { Logger } from '../../platform/logging.ts';
import { connectionOptions } from '../../platform/postgres-connection.ts';
import { isNotMigrated } from '../../platform/postgres-errors.ts';
import { roleUrl } from '../../system/roles.ts';
import type { ExaminedDatabase } from './examined-databases.ts';
import { type Finding, failure, ok, warning } from './finding.ts';
import { checkKept, type KeptSeconds } from './retention-checks.ts';
import type { ServingState } from './surroundings.ts';

const notifyMsMax = 3_000;
const migrateRemedy = 'tillbox migrate (tillbox up does it too)';

/** pg-boss's schema, the queues, their retention, and whether wake-ups arrive; all with the broker's own login. */
export async function checkBroker(
  databases: readonly ExaminedDatabase[],
  { serving, log }: { serving: ServingState; log: Logger },
): Promise<Finding[]> {
  const broker = databases.find(({ names }) => names.includes('broker'));
  if (broker === undefined) return [];
  let url: string;
  try {
    url = await roleUrl(broker.url, 'broker', log);
  } catch (error) {
    if (!isNotMigrated(error)) throw error;
    return [failure('schema', 'pg-boss is not installed.', migrateRemedy)];
  }
  const database = new Database({ url, name: 'tillbox doctor', connectionsMax: 1, log });
  try {
    const examination = await examineBroker(database);
    const schema = checkSchema(examination);
    if (!examination.installed) return [schema];
    return [
      schema,
      checkQueues(examination),
      await checkNotify(url),
      ...(await checkListeners(database, serving)),
      ...(examination.drift.length === 0 ? [checkKept(await readKept(database))] : []),
    ];
  } finally {
    await database.close();
  }
}

function checkSchema({ installed, version, drift }: BrokerExamination): Finding {
  if (!installed) return failure('schema', 'pg-boss is not installed.', migrateRemedy);
  if (drift.length === 0) return ok('schema', `pg-boss's schema (version ${version}) is as it should be.`);
  const shown = drift.slice(0, 5).join(', ') + (drift.length > 5 ? ` and ${drift.length - 5} more` : '');
  return failure(
    'schema',
    `pg-boss's schema (version ${version}) has drifted: ${shown}.`,
    `${migrateRemedy}; what that leaves, pg-boss doctor --schema broker lists with its statements`,
  );
}

function checkQueues({ queues }: BrokerExamination): Finding {
  if (queues.length === 0)
    return ok('queues', 'Every queue is there, with the settings it was designed with.');
  return failure('queues', `Queues are not as designed: ${queues.join(', ')}.`, migrateRemedy);
}

/** A NOTIFY from one connection to another: a pooler in transaction mode, for one, swallows it. */
async function checkNotify(url: string): Promise<Finding> {
  const channel = `tillbox_doctor_${randomBytes(6).toString('hex')}`;
  const listener = new pg.Client(connectionOptions(url, 'tillbox doctor'));
  const sender = new pg.Client(connectionOptions(url, 'tillbox doctor'));
  for (const client of [listener, sender]) client.on('error', () => {});
  let timer: NodeJS.Timeout | undefined;
  try {
    await Promise.all([listener.connect(), sender.connect()]);
    const heard = new Promise<boolean>((resolve) => {
      listener.once('notification', () => resolve(true));
      timer = setTimeout(() => resolve(false), notifyMsMax);
    });
    await listener.query(`listen ${channel}`);
    const startedAt = performance.now();
    await sender.query(`notify ${channel}`);
    if (await heard) {
      return ok(
        'notify',
        `A wake-up took ${(performance.now() - startedAt).toFixed(1)} ms from one connection to another.`,
      );
    }
    return warning(
      'notify',
      `A wake-up did not arrive in ${notifyMsMax / 1_000} s, so queues are polled once a second.`,
      'Connect BROKER_DATABASE_URL to Postgres itself, or to a pooler in session mode',
    );
  } finally {
    clearTimeout(timer);
    await Promise.allSettled([listener.end(), sender.end()]);
  }
}

interface Listening {
  application: string;
  sessions: number;
}

/** pg-boss holds a session for LISTEN in each instance, and asks in it every ten seconds whether it still listens. */
async function checkListeners(database: Database, serving: ServingState): Promise<Finding[]> {
  const sessions = await database.query<Listening>({
    name: 'doctor_listeners',
    text: `select application_name as application, count(*)::int as sessions from pg_stat_activity
      where datname = current_database() and (query ilike 'listen %' or query like '%pg_listening_channels()%')
      group by 1`,
  });
  return (['orders', 'payments'] as const).flatMap((service) => {
    const ready = serving[service].instances.filter((instance) => instance.ready).length;
    if (ready === 0) return [];
    const application = `tillbox ${service} broker`;
    const alive = sessions.find((session) => session.application === application)?.sessions ?? 0;
    const check = `${service} listener`;
    const detail = `${alive} of ${ready} ready instances listen for wake-ups.`;
    if (alive >= ready) return [ok(check, detail)];
    return [
      warning(
        check,
        `${detail} The others poll once a second.`,
        'They try again by themselves; if it lasts, end that process and it is started anew',
      ),
    ];
  });
}

async function readKept(database: Database): Promise<KeptSeconds[]> {
  return database.query<KeptSeconds>({
    name: 'doctor_kept',
    text: `select name, retention_seconds as waiting, deletion_seconds as completed from broker.queue
      where name not like '\\_\\_pgboss%' order by name`,
  });
}
