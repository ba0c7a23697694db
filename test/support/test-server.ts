import { databaseNames, givenDatabaseUrls, readConfig } from '../../src/platform/config.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/platform/embedded-postgres.ts';
import { createLogger } from '../../src/platform/logging.ts';
import { createEphemeralDatabases, type EphemeralDatabases } from '../../src/system/ephemeral-databases.ts';
import { type DatabaseUrls, migrate } from '../../src/system/migrate.ts';

export const silentLog = createLogger('test', process.env['TILLBOX_TEST_LOG'] ? 'debug' : 'silent');

interface TestServer {
  /** Administrator URLs: all of one embedded server, or those the environment names. */
  urls: DatabaseUrls;
  /** A migrated database on each server, which every test file copies. */
  template: EphemeralDatabases;
  templateName: string;
  embedded: EmbeddedPostgres | undefined;
}

let server: Promise<TestServer> | undefined;

/** The server of this run: the one the environment names, else an embedded one without durability. */
export function testServer(): Promise<TestServer> {
  server ??= start();
  return server;
}

async function start(): Promise<TestServer> {
  const given = givenDatabaseUrls(readConfig(process.env), databaseNames);
  const embedded =
    given === undefined
      ? await startEmbeddedPostgres({ folder: '', ephemeral: true, fsync: false })
      : undefined;
  const url = embedded?.url ?? '';
  const urls = given ?? { orders: url, payments: url, broker: url };
  const template = await createEphemeralDatabases(urls, { prefix: 'tillbox_template' });
  await migrate(template.urls, silentLog);
  const templateName = new URL(template.urls.orders).pathname.slice(1);
  return { urls, template, templateName, embedded };
}

/** Fresh databases, migrated, on the server of this run. */
export async function createTestDatabases(): Promise<EphemeralDatabases> {
  const { urls, templateName } = await testServer();
  return createEphemeralDatabases(urls, { prefix: 'tillbox_test', template: templateName });
}

/** Fresh databases, empty, on the server of this run. */
export async function createEmptyDatabases(): Promise<EphemeralDatabases> {
  const { urls } = await testServer();
  return createEphemeralDatabases(urls, { prefix: 'tillbox_test' });
}

export async function stopTestServer(): Promise<void> {
  if (server === undefined) return;
  const { template, embedded } = await server;
  if (embedded === undefined) await template.drop();
  else await embedded.stop();
}
