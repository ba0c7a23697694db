import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import type { Service } from '../../../src/messaging/service.ts';
import { createOrdersDaemon } from '../../../src/orders/daemon.ts';
import { createPaymentsDaemon } from '../../../src/payments/daemon.ts';
import { readConfig } from '../../../src/platform/config.ts';
import { openTelemetry, type Telemetry } from '../../../src/platform/telemetry/telemetry.ts';
import { useDatabases } from '../../support/databases.ts';
import { eventually } from '../../support/eventually.ts';
import { sendRequest } from '../../support/raw-request.ts';
import { refusal } from '../../support/refusal.ts';
import { scrape } from '../../support/scrape.ts';
import { silentLog } from '../../support/test-server.ts';

const untraced = readConfig({}).traces;
const loopback = { host: '127.0.0.1', otlp: false, exportMs: 60_000 };

describe('platform: telemetry', () => {
  const databases = useDatabases();
  const telemetry = {} as Record<'orders' | 'payments', Telemetry>;
  const daemons = {} as Record<'orders' | 'payments', Service>;
  let ordersUrl: string;

  before(async () => {
    for (const service of ['orders', 'payments'] as const) {
      const metrics = { ...loopback, port: 0 };
      telemetry[service] = (await openTelemetry({
        service,
        instance: `${service}-1`,
        metrics,
        traces: untraced,
        log: silentLog,
      })) as Telemetry;
      const create = service === 'orders' ? createOrdersDaemon : createPaymentsDaemon;
      daemons[service] = create({
        databaseUrl: databases.urls[service],
        brokerUrl: databases.urls.broker,
        host: '127.0.0.1',
        port: 0,
        retention: { inboxRetentionDays: 7, idempotencyRetentionDays: 7 },
        meter: telemetry[service].meter,
        log: silentLog,
      });
      const url = await daemons[service].start();
      if (service === 'orders') ordersUrl = url;
      expect(await daemons[service].untilReady()).to.equal(true);
    }
  });
  after(async () => {
    await Promise.all(Object.values(daemons).map((daemon) => daemon.stop()));
    await Promise.all(Object.values(telemetry).map((one) => one.stop()));
  });

  const metricsOf = (service: 'orders' | 'payments') => scrape(telemetry[service].url as string);

  it('tells a page of another host nothing, whatever name of it leads here', async () => {
    const { port } = new URL(telemetry.orders.url as string);
    const statusFor = async (host: string) =>
      (await sendRequest(`http://127.0.0.1:${port}`, { method: 'GET', path: '/metrics', headers: [], host }))
        .status;
    for (const host of [`evil.example:${port}`, `attackerpc:${port}`])
      expect(await statusFor(host)).to.equal(421);
    for (const host of [`127.0.0.1:${port}`, `localhost:${port}`])
      expect(await statusFor(host)).to.equal(200);
  });

  it('shows an order on its way through all six steps, and what it came to', async () => {
    const response = await fetch(`${ordersUrl}/orders`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ user_id: 'anna', amount: '1.00', description: '' }),
    });
    expect(response.status).to.equal(201);
    await eventually(async () => {
      const orders = await metricsOf('orders');
      expect(
        orders.of('tillbox_orders_settled_total', { status: 'CANCELED', reason: 'ACCOUNT_NOT_FOUND' }),
      ).to.equal(1);
    });
    const count = 'tillbox_step_duration_count';
    // A step is told after its commit: the next one may have been faster.
    await eventually(async () => {
      const payments = await metricsOf('payments');
      for (const step of ['received', 'decided', 'published'])
        expect(payments.of(count, { step })).to.equal(1);
    });
    const [orders, payments] = [await metricsOf('orders'), await metricsOf('payments')];
    expect(orders.of('tillbox_orders_accepted_total')).to.equal(1);
    expect(orders.of(count, { step: 'created', number: '1' })).to.equal(1);
    expect(orders.of(count, { step: 'published', number: '2' })).to.equal(1);
    expect(payments.of(count, { step: 'received', number: '3' })).to.equal(1);
    expect(payments.of(count, { step: 'decided', number: '4' })).to.equal(1);
    expect(payments.of(count, { step: 'published', number: '5' })).to.equal(1);
    expect(orders.of(count, { step: 'settled', number: '6' })).to.equal(1);
    expect(orders.of(count, { step: 'order' })).to.equal(1);
    expect(orders.of('tillbox_step_duration_sum', { step: 'order' })).to.be.within(0.001, 30);
    expect(payments.of('tillbox_step_duration_sum', { step: 'decided' })).to.be.within(0, 30);
    expect(orders.of(count, { service_name: 'tillbox-orders', service_instance_id: 'orders-1' })).to.equal(4);
  });

  it('says how much waits in each place a service has, how old, and how it stands with connections', async () => {
    const payments = await metricsOf('payments');
    for (const queue of ['payments-inbox', 'payments-outbox']) {
      expect(payments.of('tillbox_queue_depth', { queue })).to.be.at.least(0);
      expect(payments.of('tillbox_queue_oldest', { queue })).to.be.at.least(0);
    }
    const orders = await metricsOf('orders');
    expect(orders.of('tillbox_queue_depth', { queue: 'orders-outbox' })).to.equal(0);
    for (const queue of ['payment-results', 'payment-requests']) {
      expect(orders.of('tillbox_queue_jobs', { queue, state: 'ready' }), queue).to.equal(0);
    }
    expect(
      orders.of('tillbox_queue_jobs', { queue: 'payment-results-dead-letters', state: 'ready' }),
    ).to.equal(0);
    for (const database of ['orders', 'broker']) {
      expect(orders.of('tillbox_pool_connections', { database }), database).to.be.at.least(1);
      expect(orders.of('tillbox_pool_waiting', { database })).to.equal(0);
    }
    expect(orders.of('tillbox_ready')).to.equal(1);
    expect(orders.of('nodejs_eventloop_delay_p99')).to.be.above(0);
    expect(orders.of('process_memory_usage')).to.be.above(1_000_000);
  });

  it('counts what is refused, and shows that it waits for somebody', async () => {
    await databases.sql(
      'broker',
      `insert into broker.job (name, data) values ('payment-results', '{"messages":[{"type":"nonsense"}]}')`,
    );
    await eventually(
      async () => {
        const orders = await metricsOf('orders');
        const refused = { queue: 'payment-results', reason: 'unknown-type' };
        expect(orders.of('tillbox_messages_dead_letters_total', refused)).to.equal(1);
        const waiting = { queue: 'payment-results-dead-letters', state: 'ready' };
        expect(orders.of('tillbox_queue_jobs', waiting)).to.equal(1);
      },
      { withinMs: 20_000, everyMs: 200 },
    );
  });

  it('does nothing, and loads nothing, when nobody asks for metrics', async () => {
    const metrics = { ...loopback, port: undefined };
    const off = await openTelemetry({
      service: 'orders',
      instance: 'orders',
      metrics,
      traces: untraced,
      log: silentLog,
    });
    expect(off).to.equal(undefined);
  });

  it('refuses a port that is taken, by name', async () => {
    const port = Number(new URL(telemetry.orders.url as string).port);
    const metrics = { ...loopback, port };
    const { message } = await refusal('conflict', () =>
      openTelemetry({ service: 'orders', instance: 'orders', metrics, traces: untraced, log: silentLog }),
    );
    expect(message).to.contain(String(port));
  });

  it('sends what was measured to a collector, the rest when it stops', async () => {
    const bodies: string[] = [];
    const collector = createServer(async (request, response) => {
      const parts: Buffer[] = [];
      for await (const part of request) parts.push(part as Buffer);
      bodies.push(Buffer.concat(parts).toString());
      response.setHeader('content-type', 'application/json').end('{}');
    });
    await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
    process.env['OTEL_EXPORTER_OTLP_ENDPOINT'] =
      `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
    try {
      const metrics = { ...loopback, port: undefined, otlp: true };
      const one = await openTelemetry({
        service: 'orders',
        instance: 'orders-7',
        metrics,
        traces: untraced,
        log: silentLog,
      });
      one?.meter?.createCounter('tillbox.orders.accepted').add(7);
      await one?.stop();
      await one?.stop();
      expect(bodies.join()).to.contain('tillbox.orders.accepted').and.to.contain('orders-7');
    } finally {
      delete process.env['OTEL_EXPORTER_OTLP_ENDPOINT'];
      await new Promise((resolve) => collector.close(resolve));
    }
  });
});
