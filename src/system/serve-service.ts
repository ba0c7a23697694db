import { EventEmitter } from 'node:events';
import { givenDatabaseUrls } from '../platform/config.ts';
import { CodedError } from '../platform/errors.ts';
import { waitUntilAvailable } from '../platform/lifecycle.ts';
import { untilRefused } from './logins.ts';
import { roleUrl } from './roles.ts';
import type { Serving } from './serving.ts';
import { sharedCredential } from './shared-credential.ts';

/** The services listen for the gateway alone. */
const serviceHost = '127.0.0.1';

/**
 * Runs a service, and again with a new login whenever the database refuses the one it has, until told to stop.
 * Throws `usage` when it is not told of its databases, or has nothing to know its gateway by.
 */
export async function serveService(service: 'orders' | 'payments', serving: Serving): Promise<void> {
  const { config, log, meter, spans, stopping, hold } = serving;
  const create = await creationOf(service);
  const port = service === 'orders' ? config.ordersPort : config.paymentsPort;
  while (!stopping.aborted) {
    const urls = await logins(service, serving);
    if (urls === undefined) return;
    const { retention } = config;
    const gatewaySecret = sharedCredential(config);
    const trouble = new EventEmitter();
    const onTrouble = () => trouble.emit('trouble');
    const settings = { host: serviceHost, port, gatewaySecret, retention, meter, spans, onTrouble, log };
    const started = create({ ...urls, ...settings });
    hold(started);
    await started.start();
    if (!(await untilRefused(Object.values(urls), trouble, stopping))) return;
    log.warn('the database refuses the login: it has a new password, starting again with that');
    await started.stop();
    // A supervisor knows the new login, and gives it to the process it starts next.
    if (process.connected) process.exit(0);
  }
}

async function creationOf(service: 'orders' | 'payments') {
  if (service === 'orders') return (await import('../orders/daemon.ts')).createOrdersDaemon;
  return (await import('../payments/daemon.ts')).createPaymentsDaemon;
}

/** The URLs of this service's roles. Waits for databases that are away; undefined when stopped before. */
async function logins(service: 'orders' | 'payments', { config, log, stopping }: Serving) {
  const given = givenDatabaseUrls(config, [service, 'broker']);
  if (given === undefined) {
    const detail = `tillbox serve ${service} needs ${service.toUpperCase()}_DATABASE_URL and BROKER_DATABASE_URL, or DATABASE_URL. tillbox up runs everything with a Postgres of its own.`;
    throw new CodedError('usage', detail);
  }
  const urls = { databaseUrl: given[service], brokerUrl: given.broker };
  const there = await waitUntilAvailable(
    'databases',
    async () => {
      urls.databaseUrl = await roleUrl(given[service], service, log);
      urls.brokerUrl = await roleUrl(given.broker, 'broker', log);
    },
    { log, signal: stopping },
  );
  return there ? urls : undefined;
}
