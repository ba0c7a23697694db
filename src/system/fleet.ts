import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Config, environmentVariables } from '../platform/config.ts';
import { doorVariables, isWildcard } from '../platform/door-config.ts';
import { CodedError } from '../platform/errors.ts';
import { hostInUrl } from '../platform/hosts.ts';
import { newCredential } from '../platform/identity/gateway-credential.ts';
import { healthOf } from './health.ts';
import type { Logins } from './logins.ts';
import { reservePort } from './ports.ts';
import type { Runtime } from './runtime-file.ts';
import { type ProcessEvents, SupervisedProcess } from './supervised-process.ts';

const readyMsMax = 60_000;
const readyPollMs = 30;
const serviceHost = '127.0.0.1';

/**
 * What a daemon gets of the environment: what every program expects, and how to work. No URL, no secret, but what
 * OpenTelemetry's own variables say about a collector.
 */
const inheritedNames = ['PATH', 'HOME', 'USER', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'NODE_EXTRA_CA_CERTS'];
/** Variables of ours that only some need, or that are set apart. */
const commandLineNames = [
  'TILLBOX_URL',
  'TILLBOX_TOKEN',
  'TILLBOX_GATEWAY_SECRET',
  'TILLBOX_INSTANCE',
  'TILLBOX_METRICS_PORT',
  'TILLBOX_METRICS_HOST',
];
const gatewayNames = Object.keys(doorVariables).filter((name) => !commandLineNames.includes(name));
const serviceNames = [
  'PGSSLMODE',
  'PGSSLROOTCERT',
  ...Object.keys(environmentVariables).filter(
    (name) => name.startsWith('TILLBOX_') && ![...commandLineNames, ...gatewayNames].includes(name),
  ),
];

/**
 * Limits of a daemon's heap, in MB. By default V8 lets garbage pile up until a daemon has 230 to 310 MB under load.
 * Measured: with a larger young generation each order costs some microseconds less, and the gateway passes 150 MB.
 */
function heapFlags(service: string): string[] {
  const youngMb = service === 'gateway' ? 8 : 10;
  return [`--min-semi-space-size=${youngMb}`, `--max-semi-space-size=${youngMb}`, '--max-old-space-size=384'];
}

/** A daemon's process and where it listens. */
interface Member {
  daemon: SupervisedProcess;
  url: string;
}

/** How many daemons of each kind, and what they need. */
export interface FleetSettings {
  config: Config;
  instances: { orders: number; payments: number };
  logins: Logins;
  environment: Readonly<Record<string, string | undefined>>;
  events: ProcessEvents;
}

/** The daemons of one system, each in a process of its own that is started again when it dies. */
export class Fleet {
  readonly #settings: FleetSettings;
  readonly #services: Record<'orders' | 'payments', Member[]> = { orders: [], payments: [] };
  #gateway: Member | undefined;
  /** The metrics' ports taken so far: the gateway's is the first, those of the services follow. */
  #metricsPorts = 1;
  /** What gateway and services recognise each other by. */
  readonly #credential: string;
  #stopping = false;

  constructor(settings: FleetSettings) {
    this.#settings = settings;
    this.#credential = settings.config.door.gatewaySecret ?? newCredential();
  }

  /** Starts all and resolves when every one is ready. Throws `unavailable`, or `conflict` for a port in use. */
  async start(): Promise<void> {
    const { config } = this.#settings;
    await this.#startService('orders', config.ordersPort);
    await this.#startService('payments', config.paymentsPort);
    await this.#startGateway();
    await this.#untilReady();
  }

  /** Starts the instances of a service, each with nothing but its own logins. */
  async #startService(service: 'orders' | 'payments', firstPort: number): Promise<void> {
    const { instances, logins } = this.#settings;
    const variable = service.toUpperCase();
    const count = instances[service];
    for (let index = 0; index < count; index += 1) {
      const wanted = firstPort === 0 ? 0 : firstPort + index;
      const port = await reservePort(serviceHost, wanted, `${variable}_PORT`);
      const name = count === 1 ? service : `${service}-${index + 1}`;
      const metrics = await this.#metricsOf(this.#metricsPorts);
      this.#metricsPorts += 1;
      const daemon = this.#startProcess(name, service, serviceNames, async () => {
        const urls = await logins.lookUp();
        return {
          ...metrics,
          [`${variable}_DATABASE_URL`]: urls[service],
          BROKER_DATABASE_URL: urls.broker,
          [`${variable}_PORT`]: String(port),
        };
      });
      this.#services[service].push({ daemon, url: `http://${serviceHost}:${port}` });
    }
  }

  async #startGateway(): Promise<void> {
    const { gatewayHost, gatewayPort, door } = this.#settings.config;
    const port = await reservePort(gatewayHost, gatewayPort, 'GATEWAY_PORT');
    const urls = (members: Member[]) => members.map(({ url }) => url).join(',');
    const metrics = await this.#metricsOf(0);
    const daemon = this.#startProcess('gateway', 'gateway', gatewayNames, async () => ({
      ...metrics,
      GATEWAY_HOST: gatewayHost,
      GATEWAY_PORT: String(port),
      ORDERS_URL: urls(this.#services.orders),
      PAYMENTS_URL: urls(this.#services.payments),
    }));
    const scheme = door.tls === undefined ? 'http' : 'https';
    this.#gateway = { daemon, url: `${scheme}://${reachableAt(gatewayHost)}:${port}` };
  }

  /** Where a daemon offers its metrics, `offset` ports above the first; nothing when they are off. */
  async #metricsOf(offset: number): Promise<Record<string, string>> {
    const { host, port } = this.#settings.config.metrics;
    if (port === undefined) return {};
    const wanted = port === 0 ? 0 : port + offset;
    const reserved = await reservePort(host, wanted, 'TILLBOX_METRICS_PORT');
    return { TILLBOX_METRICS_HOST: host, TILLBOX_METRICS_PORT: String(reserved) };
  }

  #startProcess(
    name: string,
    service: string,
    names: readonly string[],
    own: () => Promise<Record<string, string>>,
  ): SupervisedProcess {
    const { config, environment, events } = this.#settings;
    const serviceName = environment['OTEL_SERVICE_NAME'];
    // How a collector is reached, with what may be secret, is nobody's business where nothing is sent to one.
    const exports = config.metrics.otlp || config.traces.otlp;
    const otelNames = Object.keys(environment).filter(
      (key) => key.startsWith('OTEL_') && (exports || !key.startsWith('OTEL_EXPORTER_OTLP_')),
    );
    const inherited = [...inheritedNames, ...otelNames, ...names].flatMap((key) =>
      environment[key] ? [[key, environment[key]]] : [],
    );
    const daemon = new SupervisedProcess({
      name,
      arguments: ['serve', service],
      nodeFlags: heapFlags(service),
      environment: async () => ({
        ...Object.fromEntries(inherited),
        // As the flags left them, whatever the environment says.
        TILLBOX_HOME: config.home,
        TILLBOX_LOG_LEVEL: config.logLevel,
        TILLBOX_GATEWAY_SECRET: this.#credential,
        TILLBOX_INSTANCE: name,
        // One name for three services would make them one.
        ...(serviceName ? { OTEL_SERVICE_NAME: `${serviceName}-${service}` } : {}),
        ...(await own()),
      }),
      events,
    });
    daemon.start();
    return daemon;
  }

  async #untilReady(): Promise<void> {
    const deadline = performance.now() + readyMsMax;
    while (performance.now() < deadline) {
      if (this.#stopping) throw new CodedError('conflict', 'Stopped before it was ready.');
      if (await this.#isReady()) return;
      await sleep(readyPollMs);
    }
    const lines = this.#daemons.flatMap(({ name, lastLines }) =>
      lastLines.slice(-3).map((line) => `${name}: ${line}`),
    );
    throw new CodedError('unavailable', `The daemons did not become ready in a minute.\n${lines.join('\n')}`);
  }

  /** Each by itself: the gateway is ready with one instance of each service. */
  async #isReady(): Promise<boolean> {
    const members = [this.#gateway, ...this.#services.orders, ...this.#services.payments];
    const ready = await Promise.all(members.map((member) => isReady(member?.url ?? '')));
    return ready.every(Boolean);
  }

  /** Where everything listens, and its processes now. */
  describe(): Pick<Runtime, 'gateway' | 'orders' | 'payments'> {
    const describe = (member: Member | undefined) => ({
      url: member?.url ?? '',
      pid: member?.daemon.pid ?? 0,
    });
    const { orders, payments } = this.#services;
    const { tls } = this.#settings.config.door;
    return {
      gateway: {
        ...describe(this.#gateway),
        ...(tls === undefined ? {} : { certificate: resolve(tls.certificate) }),
      },
      orders: orders.map(describe),
      payments: payments.map(describe),
    };
  }

  /** The processes there are now, by name. */
  get processes(): { name: string; pid: number }[] {
    return this.#daemons.flatMap(({ name, pid }) => (pid === undefined ? [] : [{ name, pid }]));
  }

  get #daemons(): SupervisedProcess[] {
    const { orders, payments } = this.#services;
    return [...(this.#gateway === undefined ? [] : [this.#gateway]), ...orders, ...payments].map(
      ({ daemon }) => daemon,
    );
  }

  /** Stops all, the gateway first, so that nothing new comes in. May be called twice, or before start. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#gateway?.daemon.stop();
    await Promise.all(this.#daemons.map((daemon) => daemon.stop()));
  }
}

async function isReady(url: string): Promise<boolean> {
  return (await healthOf(url))?.ready === true;
}

/** Where this machine reaches what listens on a host; on every address means on its own too. */
function reachableAt(host: string): string {
  if (isWildcard(host)) return host.includes(':') ? '[::1]' : '127.0.0.1';
  return hostInUrl(host);
}
