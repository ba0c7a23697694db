import { EventEmitter } from 'node:events';
import { Gateway } from '../gateway/daemon.ts';
import { createOrdersDaemon } from '../orders/daemon.ts';
import { createPaymentsDaemon } from '../payments/daemon.ts';
import { type Config, type Environment, givenDatabaseUrls, readConfig } from '../platform/config.ts';
import { refuseOpenDoor, refuseWayRound } from '../platform/door-config.ts';
import { CodedError } from '../platform/errors.ts';
import { type Daemon, liveUntilSignal, waitUntilAvailable } from '../platform/lifecycle.ts';
import { createLogger, type Logger } from '../platform/logging.ts';
import { openTelemetry, type Telemetry } from '../platform/telemetry/telemetry.ts';
import { localSecret as readLocalSecret } from './local-identity.ts';
import { untilRefused } from './logins.ts';
import { roleUrl } from './roles.ts';
import { readTlsFiles } from './tls-files.ts';

/** The services listen for the gateway alone. */
const serviceHost = '127.0.0.1';

/** Runs one daemon in this process until it is told to stop. */
export async function serve(
  service: 'gateway' | 'orders' | 'payments',
  environment: Environment,
): Promise<void> {
  const config = readConfig(environment);
  const instance = config.instance ?? service;
  const log = createLogger(service, config.logLevel, instance);
  const stopping = new AbortController();
  let daemon: Daemon | undefined;
  let telemetry: Telemetry | undefined;
  const stop = async () => {
    stopping.abort();
    await daemon?.stop();
    await telemetry?.stop();
  };
  liveUntilSignal({ stop }, log);
  telemetry = await openTelemetry({ service, instance, metrics: config.metrics, traces: config.traces, log });
  const { meter, spans } = telemetry ?? {};
  if (service === 'gateway') {
    const { gatewayHost: host, gatewayPort: port, ordersUrls, paymentsUrls, door } = config;
    refuseOpenDoor(host, door);
    refuseWayRound(door);
    const localSecret = door.secret === undefined ? readLocalSecret(config.home) : undefined;
    const tls = door.tls && readTlsFiles(door.tls);
    const gateway = new Gateway({
      host,
      port,
      ordersUrls,
      paymentsUrls,
      door,
      localSecret,
      tls,
      meter,
      spans,
      log,
    });
    daemon = gateway;
    await gateway.start();
    return;
  }
  const create = service === 'orders' ? createOrdersDaemon : createPaymentsDaemon;
  const port = service === 'orders' ? config.ordersPort : config.paymentsPort;
  while (!stopping.signal.aborted) {
    const urls = await logins(service, config, log, stopping.signal);
    if (urls === undefined) return;
    const { retention, door } = config;
    const gatewaySecret = door.gatewaySecret;
    const trouble = new EventEmitter();
    const onTrouble = () => trouble.emit('trouble');
    const settings = { host: serviceHost, port, gatewaySecret, retention, meter, spans, onTrouble, log };
    const started = create({ ...urls, ...settings });
    daemon = started;
    await started.start();
    if (!(await untilRefused(Object.values(urls), trouble, stopping.signal))) return;
    log.warn('the database refuses the login: it has a new password, starting again with that');
    await started.stop();
    // A supervisor knows the new login, and gives it to the process it starts next.
    if (process.connected) process.exit(0);
  }
}

/** The URLs of this service's roles. Waits for databases that are away; undefined when stopped before. */
async function logins(service: 'orders' | 'payments', config: Config, log: Logger, signal: AbortSignal) {
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
    { log, signal },
  );
  return there ? urls : undefined;
}
