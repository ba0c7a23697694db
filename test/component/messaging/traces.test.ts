import { expect } from 'chai';
import { Gateway } from '../../../src/gateway/daemon.ts';
import type { Service } from '../../../src/messaging/service.ts';
import { createOrdersDaemon } from '../../../src/orders/daemon.ts';
import { createPaymentsDaemon } from '../../../src/payments/daemon.ts';
import { readConfig } from '../../../src/platform/config.ts';
import { openTelemetry, type Telemetry } from '../../../src/platform/telemetry/telemetry.ts';
import { Collector } from '../../support/collector.ts';
import { useDatabases } from '../../support/databases.ts';
import { eventually } from '../../support/eventually.ts';
import { silentLog } from '../../support/test-server.ts';

const services = ['gateway', 'orders', 'payments'] as const;

/** Gateway and services in this process, with the telemetry that these variables of the environment ask for. */
class System {
  readonly #environment: Record<string, string>;
  readonly #telemetry: Partial<Record<string, Telemetry | undefined>> = {};
  readonly #daemons: (Service | Gateway)[] = [];
  url = '';

  constructor(environment: Record<string, string>) {
    this.#environment = environment;
  }

  async start(urls: { orders: string; payments: string; broker: string }): Promise<void> {
    // The exporter reads the environment itself.
    Object.assign(process.env, this.#environment);
    const { metrics, traces, door } = readConfig(process.env);
    for (const service of services) {
      const options = { service, instance: service, metrics, traces, log: silentLog };
      this.#telemetry[service] = await openTelemetry(options);
    }
    for (const name of Object.keys(this.#environment)) delete process.env[name];
    const settings = {
      brokerUrl: urls.broker,
      host: '127.0.0.1',
      port: 0,
      retention: { inboxRetentionDays: 7, idempotencyRetentionDays: 7 },
      log: silentLog,
    };
    const spansOf = (service: string) => ({ spans: this.#telemetry[service]?.spans });
    const orders = createOrdersDaemon({ ...settings, databaseUrl: urls.orders, ...spansOf('orders') });
    const payments = createPaymentsDaemon({
      ...settings,
      databaseUrl: urls.payments,
      ...spansOf('payments'),
    });
    this.#daemons.push(orders, payments);
    const [ordersUrl, paymentsUrl] = [await orders.start(), await payments.start()];
    expect([await orders.untilReady(), await payments.untilReady()]).to.deep.equal([true, true]);
    const upstreams = { ordersUrls: [ordersUrl], paymentsUrls: [paymentsUrl] };
    const gateway = new Gateway({
      host: '127.0.0.1',
      port: 0,
      ...upstreams,
      door,
      log: silentLog,
      ...spansOf('gateway'),
    });
    this.#daemons.unshift(gateway);
    this.url = await gateway.start();
  }

  async create(count: number): Promise<string[]> {
    const created = Array.from({ length: count }, async () => {
      const response = await fetch(`${this.url}/orders`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ user_id: 'anna', amount: '1.00' }),
      });
      expect(response.status).to.equal(201);
      return ((await response.json()) as { id: string }).id;
    });
    return Promise.all(created);
  }

  /** Ends it; what was recorded is sent. */
  async stop(): Promise<void> {
    for (const daemon of this.#daemons) await daemon.stop();
    for (const service of services) await this.#telemetry[service]?.stop();
  }
}

describe('messaging: traces', function () {
  this.timeout(60_000);
  const databases = useDatabases();
  const collector = new Collector();
  before(() => collector.start());
  after(() => collector.stop());

  const settled = (count: number) =>
    eventually(async () => {
      const [row] = await databases.sql<{ count: number }>(
        'orders',
        `select count(*)::int as count from orders.orders where status <> 'NEW'`,
      );
      expect(row?.count).to.equal(count);
    });

  it('are not even asked about where they are off: nothing is sent, and nothing stored', async () => {
    const system = new System({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_SDK_DISABLED: 'true' });
    await system.start(databases.urls);
    await system.create(3);
    await settled(3);
    await system.stop();
    const stored = await databases.sql(
      'payments',
      'select count(*)::int as all, count(traceparent)::int as traced from payments.inbox',
    );
    expect(stored).to.deep.equal([{ all: 3, traced: 0 }]);
    const jobs = await databases.sql<{ data: object }>('broker', 'select data from broker.job');
    expect(JSON.stringify(jobs)).not.to.contain('traceparent');
    expect(collector.requests).to.deep.equal([]);
  });

  it('are one for each order, and the spans of batches link to every order that was in them', async () => {
    const system = new System({
      OTEL_TRACES_EXPORTER: 'otlp',
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${collector.url}/v1/traces`,
      OTEL_TRACES_SAMPLER: 'parentbased_always_on',
    });
    await system.start(databases.urls);
    const ids = await system.create(20);
    await settled(23);
    await system.stop();
    for (const id of ids) {
      const ofOrder = collector.spans.filter(({ attributes }) => attributes['tillbox.order.id'] === id);
      expect(new Set(ofOrder.map(({ traceId }) => traceId)).size).to.equal(1);
      expect(
        collector.tree(ofOrder[0]?.traceId ?? '').map((line) => line.trim().replace(/ \w+\.size=\d+/g, '')),
      ).to.deep.equal([
        'tillbox-gateway server POST /orders',
        'tillbox-orders internal create order',
        'tillbox-orders producer publish payment-requests',
        'tillbox-payments consumer receive payment-requests',
        'tillbox-payments internal decide payment payment.outcome=failed payment.reason=ACCOUNT_NOT_FOUND',
        'tillbox-payments producer publish payment-results',
        'tillbox-orders consumer settle payment-results',
      ]);
    }
    // Of each step: those that were together in a batch are those that its span links to.
    const batches = collector.spans.filter(({ name }) => name.endsWith(' batch'));
    expect(batches.map(({ name }) => name)).to.include('create order batch');
    for (const batch of batches) {
      const step = batch.name.replace(/ batch$/, '');
      const size =
        batch.attributes['tillbox.batch.size'] ?? batch.attributes['messaging.batch.message_count'];
      expect(batch.links).to.have.length(Number(size));
      expect(batch.parentSpanId).to.equal(undefined);
      const linked = batch.links.map(({ spanId }) => collector.spans.find((span) => span.spanId === spanId));
      for (const span of linked) {
        expect(span?.name).to.equal(step);
        expect(span?.attributes['tillbox.batch.size']).to.equal(Number(size));
        expect([span?.start, span?.end]).to.deep.equal([batch.start, batch.end]);
      }
    }
    const joined = collector.spans.filter(
      ({ attributes, links }) => attributes['tillbox.batch.size'] !== undefined && links.length === 0,
    );
    const linked = new Set(batches.flatMap(({ links }) => links.map(({ spanId }) => spanId)));
    expect(joined.every(({ spanId }) => linked.has(spanId))).to.equal(true);
    const together = collector.spans.find(({ name }) => name === 'POST /orders/batch');
    expect(together?.kind).to.equal('client');
    for (const { spanId } of together?.links ?? []) {
      expect(collector.spans.find((span) => span.spanId === spanId)?.name).to.equal('POST /orders');
    }
  });
});
