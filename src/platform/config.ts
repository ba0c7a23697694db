import { homedir } from 'node:os';
import { join } from 'node:path';
import { type DoorConfig, doorVariables, readDoorConfig } from './door-config.ts';
import { CodedError, type FieldError } from './errors.ts';
import { type LogLevel, logLevels } from './log-levels.ts';
import type { RetentionSettings } from './retention.ts';
import { isExported } from './telemetry/exporter.ts';
import type { MetricsConfig } from './telemetry/metrics.ts';
import { readTracesConfig, type TracesConfig, tracesVariables } from './telemetry/traces-config.ts';

/** Which databases there are. */
export const databaseNames = ['orders', 'payments', 'broker'] as const;
export type DatabaseName = (typeof databaseNames)[number];

const minutesPerDay = 1_440;

/** Everything the environment says, checked. Ports in `0..65535`, where 0 is "any free one". */
export interface Config {
  /** Folder of all state: embedded data, runtime file, logs. */
  home: string;
  /** A database that no variable names is undefined; with none at all, `up` runs an embedded server. */
  databaseUrls: Record<DatabaseName, string | undefined>;
  /** The gateway as a client reaches it; undefined when only the runtime file or the default says. */
  url: string | undefined;
  gatewayHost: string;
  gatewayPort: number;
  ordersPort: number;
  paymentsPort: number;
  /** The gateway's upstreams. */
  ordersUrls: string[];
  paymentsUrls: string[];
  /** Whom the gateway lets in, and how. */
  door: DoorConfig;
  /** The token the command line sends, wherever the gateway is. */
  token: string | undefined;
  retention: RetentionSettings;
  logLevel: LogLevel;
  /** What logs and metrics call this process; undefined for the name of its service. */
  instance: string | undefined;
  metrics: MetricsConfig;
  traces: TracesConfig;
}

/** The variables that configure tillbox, with what they mean: `tillbox help environment` prints this. */
export const environmentVariables = {
  TILLBOX_HOME:
    'folder of all state: embedded data, runtime file, logs (default: tillbox in the XDG state folder)',
  DATABASE_URL: 'one Postgres server for everything (default: an embedded one)',
  ORDERS_DATABASE_URL: 'the database of orders; overrides DATABASE_URL',
  PAYMENTS_DATABASE_URL: 'the database of payments; overrides DATABASE_URL',
  BROKER_DATABASE_URL: 'the database of the queues; overrides DATABASE_URL',
  TILLBOX_URL:
    'the gateway the command line talks to (default: the running system, else http://127.0.0.1:7420)',
  GATEWAY_HOST: 'address the gateway listens on (default: 127.0.0.1)',
  GATEWAY_PORT: 'port the gateway listens on, 0 for any free one (default: 7420)',
  ORDERS_PORT: 'port of the first orders instance, further ones count up (default: 7430)',
  PAYMENTS_PORT: 'port of the first payments instance, further ones count up (default: 7440)',
  ORDERS_URL: "the gateway's upstreams for orders, comma-separated (default: http://127.0.0.1:ORDERS_PORT)",
  PAYMENTS_URL:
    "the gateway's upstreams for payments, comma-separated (default: http://127.0.0.1:PAYMENTS_PORT)",
  TILLBOX_INBOX_RETENTION_DAYS: 'how long processed payment requests stay in the inbox (default: 7)',
  TILLBOX_IDEMPOTENCY_RETENTION_DAYS:
    'how long an idempotency key replays the first answer; later it is new (default: 30)',
  TILLBOX_LOG_LEVEL: `one of ${logLevels.join(', ')} (default: info)`,
  TILLBOX_INSTANCE:
    'what logs, metrics and traces call a daemon started by tillbox serve (default: the name of its service)',
  TILLBOX_METRICS_PORT:
    "port of a daemon's metrics for Prometheus, 0 for any free one; under tillbox up the gateway's, orders and payments count up from it (default: no metrics)",
  TILLBOX_METRICS_HOST:
    'address the metrics listen on; whoever reaches it may read them (default: 127.0.0.1)',
  OTEL_EXPORTER_OTLP_ENDPOINT:
    'an OpenTelemetry collector such as http://127.0.0.1:4318 that metrics and traces are sent to, as JSON; the other OTEL_EXPORTER_OTLP_ variables hold too (default: none)',
  OTEL_EXPORTER_OTLP_PROTOCOL:
    'http/json, or http/protobuf for a collector that takes both, as all do that keep to the standard; there is no grpc (default: http/json)',
  OTEL_SDK_DISABLED: 'true: nothing is sent, whatever else is set (default: false)',
  OTEL_SERVICE_NAME:
    'what metrics and traces call a daemon; under tillbox up with -gateway, -orders or -payments behind it (default: tillbox, and that)',
  OTEL_METRICS_EXPORTER: 'otlp or none: whether metrics are sent to the collector (default: if there is one)',
  OTEL_METRIC_EXPORT_INTERVAL: 'how often they are sent, in milliseconds (default: 60000)',
  ...tracesVariables,
  ...doorVariables,
  NO_COLOR: 'set to anything: no colour',
} as const;
export type EnvironmentVariable = keyof typeof environmentVariables;
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads the configuration from the environment; an empty variable counts as absent.
 * @throws CodedError `usage` that names every wrong value at once
 */
export function readConfig(environment: Environment): Config {
  const errors: FieldError[] = [];
  const text = (name: EnvironmentVariable): string | undefined => environment[name]?.trim() || undefined;
  const refuse = (field: EnvironmentVariable, message: string) => {
    if (!errors.some((error) => error.field === field)) errors.push({ field, message });
  };

  const port = (name: EnvironmentVariable, otherwise: number): number => {
    const value = text(name) ?? String(otherwise);
    const number = /^\d{1,5}$/.test(value) ? Number(value) : 65_536;
    if (number > 65_535) refuse(name, `must be a port from 0 to 65535, not "${value}"`);
    return number;
  };
  const days = (name: EnvironmentVariable, otherwise: number): number => {
    const value = text(name) ?? String(otherwise);
    const number = /^\d{1,4}(\.\d{1,6})?$/.test(value) ? Number(value) : 0;
    // Less than a minute is a mistake: requests under way would lose their keys.
    if (number > 3_650 || number * minutesPerDay < 1) {
      refuse(name, `must be a number of days from a minute (0.0007) to 3650, not "${value}"`);
    }
    return number;
  };
  const host = (name: EnvironmentVariable, otherwise: string): string => {
    const value = text(name) ?? otherwise;
    if (!/^[A-Za-z0-9._:-]{1,255}$/.test(value))
      refuse(name, 'must be an address or a host name such as 127.0.0.1');
    return value;
  };
  const httpUrl = (name: EnvironmentVariable, value: string): string => {
    const url = URL.canParse(value) ? new URL(value) : undefined;
    if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
      refuse(name, 'must be an URL such as http://127.0.0.1:7420');
    } else if (url.username !== '' || url.password !== '') {
      // It would be shown wherever the URL is.
      refuse(name, 'must have no user and no password in it; who asks is told by TILLBOX_TOKEN');
    }
    return value.replace(/\/+$/, '');
  };
  const databaseUrl = (name: EnvironmentVariable): string | undefined => {
    const value = text(name);
    // The value may hold a password: it is never repeated.
    if (value !== undefined && !(/^postgres(ql)?:\/\/./.test(value) && URL.canParse(value))) {
      refuse(
        name,
        'must be an URL such as postgres://user:password@host:5432/database; characters such as # / @ in a password are written %23 %2F %40',
      );
    }
    return value;
  };
  // A default is made of a port, and wrong only where that is, which is told already.
  const urls = (name: EnvironmentVariable, otherwise: string): string[] =>
    text(name)
      ?.split(',')
      .map((value) => httpUrl(name, value.trim())) ?? [otherwise];

  const token = (): string | undefined => {
    const value = text('TILLBOX_TOKEN');
    if (value !== undefined && !/^[\w.~+/=-]+$/.test(value))
      refuse('TILLBOX_TOKEN', 'must be a token, as tillbox token prints it');
    return value;
  };

  const exportMs = (): number => {
    const value = text('OTEL_METRIC_EXPORT_INTERVAL') ?? '60000';
    const number = /^\d{1,8}$/.test(value) ? Number(value) : 0;
    if (number < 100) refuse('OTEL_METRIC_EXPORT_INTERVAL', `must be milliseconds from 100, not "${value}"`);
    return number;
  };
  const instance = (): string | undefined => {
    const value = text('TILLBOX_INSTANCE');
    if (value !== undefined && !/^[\w.:-]{1,64}$/.test(value))
      refuse('TILLBOX_INSTANCE', 'must be 1 to 64 of A-Z a-z 0-9 . _ : -');
    return value;
  };

  const disabled = text('OTEL_SDK_DISABLED')?.toLowerCase() === 'true';
  const hasCollector = (signal: 'METRICS' | 'TRACES') =>
    Boolean(
      environment[`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`] || environment['OTEL_EXPORTER_OTLP_ENDPOINT'],
    );
  const checkProtocol = (signal: 'METRICS' | 'TRACES', isExported: boolean) => {
    const general = 'OTEL_EXPORTER_OTLP_PROTOCOL';
    const protocol = environment[`OTEL_EXPORTER_OTLP_${signal}_PROTOCOL`] || environment[general];
    if (!isExported || !protocol || ['http/json', 'http/protobuf'].includes(protocol)) return;
    const how = 'metrics and traces are sent as JSON over HTTP, to port 4318 of most collectors';
    refuse(general, `must be http/json, not "${protocol}": ${how}`);
  };

  const shared = databaseUrl('DATABASE_URL');
  const level = text('TILLBOX_LOG_LEVEL') ?? 'info';
  if (!logLevels.includes(level as LogLevel)) {
    refuse('TILLBOX_LOG_LEVEL', `must be one of ${logLevels.join(', ')}, not "${level}"`);
  }
  const url = text('TILLBOX_URL');
  const ordersPort = port('ORDERS_PORT', 7430);
  const paymentsPort = port('PAYMENTS_PORT', 7440);
  const config: Config = {
    home: text('TILLBOX_HOME') ?? defaultHome(environment),
    databaseUrls: {
      orders: databaseUrl('ORDERS_DATABASE_URL') ?? shared,
      payments: databaseUrl('PAYMENTS_DATABASE_URL') ?? shared,
      broker: databaseUrl('BROKER_DATABASE_URL') ?? shared,
    },
    url: url === undefined ? undefined : httpUrl('TILLBOX_URL', url),
    gatewayHost: host('GATEWAY_HOST', '127.0.0.1'),
    gatewayPort: port('GATEWAY_PORT', 7420),
    ordersPort,
    paymentsPort,
    ordersUrls: urls('ORDERS_URL', `http://127.0.0.1:${ordersPort}`),
    paymentsUrls: urls('PAYMENTS_URL', `http://127.0.0.1:${paymentsPort}`),
    door: readDoorConfig({ text, refuse }),
    token: token(),
    retention: {
      inboxRetentionDays: days('TILLBOX_INBOX_RETENTION_DAYS', 7),
      idempotencyRetentionDays: days('TILLBOX_IDEMPOTENCY_RETENTION_DAYS', 30),
    },
    logLevel: level as LogLevel,
    instance: instance(),
    metrics: {
      host: host('TILLBOX_METRICS_HOST', '127.0.0.1'),
      port: text('TILLBOX_METRICS_PORT') === undefined ? undefined : port('TILLBOX_METRICS_PORT', 0),
      otlp: isExported(
        'OTEL_METRICS_EXPORTER',
        { text, refuse },
        { collector: hasCollector('METRICS'), disabled },
        '; for Prometheus set TILLBOX_METRICS_PORT',
      ),
      exportMs: exportMs(),
    },
    traces: readTracesConfig({ text, refuse }, { collector: hasCollector('TRACES'), disabled }),
  };
  checkProtocol('METRICS', config.metrics.otlp);
  checkProtocol('TRACES', config.traces.otlp);
  if (errors.length > 0) {
    const detail = errors.map(({ field, message }) => `${field} ${message}`).join('\n');
    throw new CodedError('usage', detail, { fields: errors });
  }
  return config;
}

/**
 * The URLs of the databases a command needs; undefined when the environment names none at all.
 * @throws CodedError `usage` that names every variable that is missing
 */
export function givenDatabaseUrls<Name extends DatabaseName>(
  config: Config,
  names: readonly Name[],
): Record<Name, string> | undefined {
  const missing = names.filter((name) => config.databaseUrls[name] === undefined);
  if (missing.length === databaseNames.length) return undefined;
  if (missing.length > 0) {
    const variables = missing.map((name) => `${name.toUpperCase()}_DATABASE_URL`).join(' and ');
    throw new CodedError('usage', `${variables} must be set, or DATABASE_URL for one server.`);
  }
  return config.databaseUrls as Record<Name, string>;
}

function defaultHome(environment: Environment): string {
  return join(environment['XDG_STATE_HOME'] || join(homedir(), '.local', 'state'), 'tillbox');
}
