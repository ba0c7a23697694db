import { databaseNames, givenDatabaseUrls, readConfig } from '../../src/platform/config.ts';
import { startEmbeddedPostgres } from '../../src/platform/embedded-postgres.ts';
import { createLogger } from '../../src/platform/logging.ts';
import { createEphemeralDatabases, type EphemeralDatabases } from '../../src/system/ephemeral-databases.ts';
import { type DatabaseUrls, migrate } from '../../src/system/migrate.ts';

export const silentLog = createLogger('test', process.env['TILLBOX_TEST_LOG'] ? 'debug' : 'silent');

/** What tests need to know of the server of this run. */
interface TestServer {
  /** Administrator URLs: all of one embedded server, or those the environment names. */
  urls: DatabaseUrls;
  /** A migrated database on each server, which every test file copies. */
  templateName: string;
}

/** How the processes of a parallel run learn of the server that the first one started. */
const handedOver = 'TILLBOX_TEST_SERVER';

let server: Promise<TestServer> | undefined;
const undo: (() => Promise<void>)[] = [];

/** The server of this run: the one the environment names, else an embedded one without durability. */
export function testServer(): Promise<TestServer> {
  const given = process.env[handedOver];
  server ??= given === undefined ? start() : Promise.resolve(JSON.parse(given));
  return server;
}

/** Starts the server now and tells the processes that this one starts later. */
export async function startTestServerForAll(): Promise<void> {
  process.env[handedOver] = JSON.stringify(await testServer());
}

async function start(): Promise<TestServer> {
  const urls = givenDatabaseUrls(readConfig(process.env), databaseNames) ?? (await startEmbedded());
  const template = await createEphemeralDatabases(urls, { prefix: 'tillbox_template' });
  undo.push(() => template.drop());
  await migrate(template.urls, silentLog);
  return { urls, templateName: new URL(template.urls.orders).pathname.slice(1) };
}

async function startEmbedded(): Promise<DatabaseUrls> {
  const { url, stop } = await startEmbeddedPostgres({
    folder: '',
    ephemeral: true,
    fsync: false,
    settings: {
      // Several whole systems beside the tests of components.
      max_connections: '400',
      // A copy of the template is then one of files, not of every page through the log: a tenth of the work.
      wal_level: 'minimal',
      max_wal_senders: '0',
      // Databases of a test live for seconds, and there are many: a look at each of them was a load by itself.
      autovacuum_naptime: '1min',
    },
  });
  undo.push(stop);
  return { orders: url, payments: url, broker: url };
}

/** Fresh databases, migrated, on the server of this run. */
export async function createTestDatabases(): Promise<EphemeralDatabases> {
  const { urls, templateName } = await testServer();
  return createEphemeralDatabases(urls, { prefix: 'tillbox_test', template: templateName });
}

/** A fresh database, migrated, that is all three: also where the environment names a server for each. */
export async function createSharedTestDatabase(): Promise<EphemeralDatabases> {
  const { orders: url } = (await testServer()).urls;
  const databases = await createEphemeralDatabases(
    { orders: url, payments: url, broker: url },
    { prefix: 'tillbox_test' },
  );
  await migrate(databases.urls, silentLog);
  return databases;
}

/** Fresh databases, empty, on the server of this run. */
export async function createEmptyDatabases(): Promise<EphemeralDatabases> {
  const { urls } = await testServer();
  return createEphemeralDatabases(urls, { prefix: 'tillbox_test' });
}

export async function stopTestServer(): Promise<void> {
  for (const step of undo.splice(0).reverse()) await step();
}
