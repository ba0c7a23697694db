import { expect } from 'chai';
import { givenDatabaseUrls, readConfig } from '../../../src/platform/config.ts';
import { CodedError } from '../../../src/platform/errors.ts';
import { redactUrl, redactUrlsIn, withoutSecrets } from '../../../src/platform/secrets.ts';
import { refusal } from '../../support/refusal.ts';

describe('configuration', () => {
  it('has a default for everything but databases', () => {
    const config = readConfig({ XDG_STATE_HOME: '/state' });
    expect(config).to.deep.equal({
      home: '/state/tillbox',
      databaseUrls: { orders: undefined, payments: undefined, broker: undefined },
      url: undefined,
      gatewayHost: '127.0.0.1',
      gatewayPort: 7420,
      ordersPort: 7430,
      paymentsPort: 7440,
      ordersUrls: ['http://127.0.0.1:7430'],
      paymentsUrls: ['http://127.0.0.1:7440'],
      door: {
        secret: undefined,
        jwks: undefined,
        gatewaySecret: undefined,
        tls: undefined,
        trustedProxies: [],
        allowedHosts: [],
        corsOrigins: [],
        ratePerToken: undefined,
        ratePerAddress: undefined,
      },
      token: undefined,
      retention: { inboxRetentionDays: 7, idempotencyRetentionDays: 30 },
      logLevel: 'info',
      instance: undefined,
      metrics: { host: '127.0.0.1', port: undefined, otlp: false, exportMs: 60_000 },
      traces: {
        otlp: false,
        sampler: undefined,
        ratio: 1,
        linksMax: 128,
        delayMs: 5_000,
        queueMax: 8_192,
        batchMax: 512,
        traceparent: undefined,
      },
    });
  });

  it('counts an empty variable as absent', () => {
    const names = ['TILLBOX_HOME', 'DATABASE_URL', 'TILLBOX_URL', 'GATEWAY_PORT', 'ORDERS_URL'];
    const empty = Object.fromEntries(names.map((name, index) => [name, index % 2 === 0 ? '' : '  ']));
    expect(readConfig({ XDG_STATE_HOME: '/state', ...empty })).to.deep.equal(
      readConfig({ XDG_STATE_HOME: '/state' }),
    );
    expect(readConfig({ XDG_STATE_HOME: '', HOME: '/home/u' }).home).to.match(/\.local\/state\/tillbox$/);
  });

  it('blames a wrong port on its own variable alone', async () => {
    const { message } = await refusal('usage', () =>
      readConfig({ ORDERS_PORT: '99999', PAYMENTS_PORT: 'x' }),
    );
    expect(message.split('\n')).to.have.lengthOf(2);
    expect(message).not.to.contain('_URL');
  });

  it('lets the URL of one database override the one for all', () => {
    const { databaseUrls } = readConfig({
      DATABASE_URL: 'postgres://all/all',
      PAYMENTS_DATABASE_URL: 'postgresql://payments/p',
    });
    expect(databaseUrls).to.deep.equal({
      orders: 'postgres://all/all',
      payments: 'postgresql://payments/p',
      broker: 'postgres://all/all',
    });
  });

  it('has metrics only for who asks for them, by port or by the variables of OpenTelemetry', () => {
    const metricsOf = (environment: Record<string, string>) => readConfig(environment).metrics;
    expect(metricsOf({ TILLBOX_METRICS_PORT: '0', TILLBOX_METRICS_HOST: '10.0.0.1' })).to.deep.equal({
      host: '10.0.0.1',
      port: 0,
      otlp: false,
      exportMs: 60_000,
    });
    const collector = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318' };
    expect(metricsOf({ ...collector, OTEL_METRIC_EXPORT_INTERVAL: '5000' })).to.include({
      otlp: true,
      port: undefined,
      exportMs: 5_000,
    });
    expect(
      metricsOf({ OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: 'http://127.0.0.1:4318/v1/metrics' }).otlp,
    ).to.equal(true);
    expect(metricsOf({ ...collector, OTEL_METRICS_EXPORTER: 'none' }).otlp).to.equal(false);
    expect(metricsOf({ ...collector, OTEL_SDK_DISABLED: 'true' }).otlp).to.equal(false);
  });

  it('has traces for who names a collector, by the variables of OpenTelemetry', () => {
    const tracesOf = (environment: Record<string, string>) => readConfig(environment).traces;
    const collector = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318' };
    const on = [
      collector,
      { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://127.0.0.1:4318/v1/traces' },
      { OTEL_TRACES_EXPORTER: 'otlp' },
    ];
    for (const environment of on) expect(tracesOf(environment).otlp).to.equal(true);
    const off = [
      {},
      { ...collector, OTEL_TRACES_EXPORTER: 'none' },
      { ...collector, OTEL_SDK_DISABLED: 'TRUE' },
      { OTEL_TRACES_EXPORTER: 'otlp', OTEL_SDK_DISABLED: 'true' },
      { OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: 'http://127.0.0.1:4318/v1/metrics' },
    ];
    for (const environment of off) expect(tracesOf(environment).otlp).to.equal(false);
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    const chosen = {
      OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
      OTEL_TRACES_SAMPLER_ARG: '0.25',
      OTEL_BSP_MAX_QUEUE_SIZE: '100',
      TRACEPARENT: traceparent,
    };
    expect(tracesOf(chosen)).to.include({
      sampler: 'parentbased_traceidratio',
      ratio: 0.25,
      queueMax: 100,
      batchMax: 100,
      traceparent,
    });
    expect(tracesOf({ TRACEPARENT: 'garbage' }).traceparent).to.equal(undefined);
  });

  it('names wrong values of traces all at once', async () => {
    const wrong = {
      OTEL_TRACES_EXPORTER: 'zipkin',
      OTEL_TRACES_SAMPLER: 'sometimes',
      OTEL_TRACES_SAMPLER_ARG: '1.1',
      OTEL_SPAN_LINK_COUNT_LIMIT: '0',
      OTEL_BSP_SCHEDULE_DELAY: 'soon',
      OTEL_BSP_MAX_QUEUE_SIZE: '-1',
      OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '10000',
    };
    const { message } = await refusal('usage', () => readConfig(wrong));
    for (const name of Object.keys(wrong)) expect(message).to.contain(name);
  });

  it('names wrong values of metrics all at once', async () => {
    const wrong = { TILLBOX_METRICS_PORT: 'x', OTEL_METRIC_EXPORT_INTERVAL: '1', TILLBOX_INSTANCE: 'a b' };
    const { message } = await refusal('usage', () => readConfig(wrong));
    for (const name of Object.keys(wrong)) expect(message).to.contain(name);
  });

  it('refuses to send to a collector by a protocol that it does not speak', async () => {
    const collector = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4317' };
    for (const wrong of [
      { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' },
      { OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'grpc' },
      { OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json', OTEL_EXPORTER_OTLP_METRICS_PROTOCOL: 'grpc' },
    ]) {
      const { message } = await refusal('usage', () => readConfig({ ...collector, ...wrong }));
      expect(message).to.contain('OTEL_EXPORTER_OTLP_PROTOCOL').and.contain('4318');
    }
    readConfig({ ...collector, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf' });
    readConfig({ ...collector, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc', OTEL_SDK_DISABLED: 'true' });
    readConfig({ OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' });
  });

  it('lets services listen elsewhere and the gateway find them there', () => {
    const config = readConfig({ ORDERS_PORT: '0', PAYMENTS_PORT: '9', ORDERS_URL: 'http://a:1/, https://b' });
    expect(config.ordersPort).to.equal(0);
    expect(config.ordersUrls).to.deep.equal(['http://a:1', 'https://b']);
    expect(config.paymentsUrls).to.deep.equal(['http://127.0.0.1:9']);
  });

  it('reports every wrong value at once, by name', async () => {
    const wrong = {
      DATABASE_URL: 'mysql://x',
      ORDERS_DATABASE_URL: 'postgres://',
      PAYMENTS_DATABASE_URL: 'localhost:5432',
      BROKER_DATABASE_URL: 'postgres://user:p#word@host/db',
      TILLBOX_URL: 'nowhere',
      GATEWAY_PORT: '65536',
      ORDERS_PORT: '-1',
      PAYMENTS_PORT: '7e3',
      ORDERS_URL: 'http://127.0.0.1:1,,ftp://x',
      PAYMENTS_URL: '127.0.0.1:7440',
      OTEL_METRICS_EXPORTER: 'prometheus',
      TILLBOX_INBOX_RETENTION_DAYS: '0.0001',
      TILLBOX_IDEMPOTENCY_RETENTION_DAYS: '30d',
      TILLBOX_AUTH_SECRET: 'short',
      TILLBOX_AUTH_JWKS_URL: 'http://idp.example/keys',
      TILLBOX_AUTH_ISSUER: '',
      TILLBOX_AUTH_AUDIENCE: '',
      TILLBOX_TOKEN: 'no token',
      TILLBOX_GATEWAY_SECRET: 'short',
      TILLBOX_TLS_CERT: '',
      TILLBOX_TRUST_PROXY: '10.0.0.0/8, 10.0.0.0/33',
      TILLBOX_ALLOWED_HOSTS: 'shop.example:443',
      TILLBOX_CORS_ORIGINS: 'https://shop.example/',
      TILLBOX_RATE_PER_TOKEN: '-1',
      TILLBOX_RATE_PER_ADDRESS: 'many',
      TILLBOX_LOG_LEVEL: 'loud',
    };
    const error = await refusal('usage', () => readConfig({ ...wrong, TILLBOX_TLS_KEY: '/key.pem' }));
    expect(new Set(error.fields.map(({ field }) => field))).to.deep.equal(new Set(Object.keys(wrong)));
    for (const name of Object.keys(wrong)) expect(error.message).to.contain(name);
  });

  it('repeats no password in a message', async () => {
    const wrong = {
      DATABASE_URL: 'mysql://user:secret@host/db',
      ORDERS_DATABASE_URL: 'postgres://user:secret#@host:5432/db',
      TILLBOX_URL: 'ftp://user:secret@host',
      PAYMENTS_URL: 'user:secret@host',
      TILLBOX_AUTH_SECRET: 'secret',
      TILLBOX_GATEWAY_SECRET: 'secret too',
      TILLBOX_TOKEN: 'secret token',
    };
    const { message, fields } = await refusal('usage', () => readConfig(wrong));
    expect(message.replaceAll(/TILLBOX_\w+|a secret/g, '')).not.to.contain('secret');
    expect(JSON.stringify(fields)).not.to.contain('secret');
  });

  it('takes no password in the URL of a gateway or service, which is shown', async () => {
    const wrong = { TILLBOX_URL: 'http://user:secret@host', ORDERS_URL: 'http://a, http://user@b' };
    const { message, fields } = await refusal('usage', () => readConfig(wrong));
    expect(fields.map(({ field }) => field)).to.have.members(Object.keys(wrong));
    expect(message).not.to.contain('secret');
  });

  it('sends metrics to a collector where one is named, or asked for', () => {
    const sends = (environment: Record<string, string>) => readConfig(environment).metrics.otlp;
    const collector = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318' };
    expect([{}, collector, { OTEL_METRICS_EXPORTER: 'otlp' }].map(sends)).to.deep.equal([false, true, true]);
    expect(sends({ ...collector, OTEL_METRICS_EXPORTER: 'none' })).to.equal(false);
  });

  it('hands no secret to programs that are none of ours', () => {
    const secrets = {
      TILLBOX_AUTH_SECRET: 'x',
      TILLBOX_GATEWAY_SECRET: 'x',
      TILLBOX_TOKEN: 'x',
      DATABASE_URL: 'x',
      ORDERS_DATABASE_URL: 'x',
      PGPASSWORD: 'x',
      OTEL_EXPORTER_OTLP_HEADERS: 'x',
    };
    const harmless = { PATH: '/bin', TERM: 'xterm', TILLBOX_HOME: '/home' };
    expect(withoutSecrets({ ...secrets, ...harmless, LANG: undefined })).to.deep.equal(harmless);
  });

  it('names the databases that are missing when only some are given', () => {
    const config = readConfig({ ORDERS_DATABASE_URL: 'postgres://o/o' });
    expect(givenDatabaseUrls(config, ['orders'])).to.include({ orders: 'postgres://o/o' });
    expect(() => givenDatabaseUrls(config, ['orders', 'payments', 'broker']))
      .to.throw(CodedError, /PAYMENTS_DATABASE_URL and BROKER_DATABASE_URL/)
      .with.property('code', 'usage');
    expect(givenDatabaseUrls(readConfig({}), ['orders', 'payments', 'broker'])).to.equal(undefined);
  });

  it('shows no password in what others say of an URL', () => {
    const text =
      "Could not parse 'http://u:sec/ret@host:99999', or http://u:secret@host; see http://host/a@b";
    const shown = redactUrlsIn(text);
    expect(shown).to.contain('http://***@host;').and.contain('http://host/a@b').and.not.contain('u:secret');
  });

  it('shows an URL without its password', () => {
    expect(redactUrl('postgres://user:secret@host:5432/db')).to.equal('postgres://user:***@host:5432/db');
    expect(redactUrl('postgres:///db?host=/run&user=u&password=secret')).not.to.contain('secret');
    expect(redactUrl('postgres://user@host/db?sslpassword=secret')).not.to.contain('secret');
    expect(redactUrl('postgres://user@host/db')).to.equal('postgres://user@host/db');
    expect(redactUrl('postgres://user:sec ret#@host/db')).not.to.contain('sec');
  });
});
