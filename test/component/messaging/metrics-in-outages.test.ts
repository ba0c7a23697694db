import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import type { Service } from '../../../src/messaging/service.ts';
import { createOrdersDaemon } from '../../../src/orders/daemon.ts';
import { readConfig } from '../../../src/platform/config.ts';
import { openTelemetry, type Telemetry } from '../../../src/platform/telemetry/telemetry.ts';
import { useDatabases } from '../../support/databases.ts';
import { eventually } from '../../support/eventually.ts';
import { scrape } from '../../support/scrape.ts';
import { TcpProxy } from '../../support/tcp-proxy.ts';
import { silentLog } from '../../support/test-server.ts';

/** A collector that knows which metrics came last. */
async function openCollector() {
  let last: string[] = [];
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const { resourceMetrics } = JSON.parse(Buffer.concat(parts).toString());
    last = resourceMetrics[0].scopeMetrics.flatMap(({ metrics }: { metrics: { name: string }[] }) =>
      metrics.map(({ name }) => name),
    );
    response.setHeader('content-type', 'application/json').end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    names: () => last,
    close: () => new Promise((resolve) => server.close(resolve)),
  };
}

describe('messaging: metrics while a database is away', function () {
  this.timeout(60_000);
  const databases = useDatabases();
  const ways = {} as Record<'orders' | 'broker', TcpProxy>;
  let collector: Awaited<ReturnType<typeof openCollector>>;
  let telemetry: Telemetry;
  let orders: Service;
  let url: string;

  before(async () => {
    const through = { orders: '', broker: '' };
    for (const name of ['orders', 'broker'] as const) {
      const direct = new URL(databases.urls[name]);
      ways[name] = new TcpProxy({ host: direct.hostname, port: Number(direct.port) });
      await ways[name].open();
      Object.assign(direct, { hostname: '127.0.0.1', port: String(ways[name].port) });
      through[name] = direct.href;
    }
    collector = await openCollector();
    // The exporter reads the environment itself.
    process.env['OTEL_EXPORTER_OTLP_ENDPOINT'] = collector.url;
    telemetry = (await openTelemetry({
      service: 'orders',
      instance: 'orders',
      metrics: { host: '127.0.0.1', port: 0, otlp: true, exportMs: 300 },
      traces: readConfig({}).traces,
      log: silentLog,
    })) as Telemetry;
    delete process.env['OTEL_EXPORTER_OTLP_ENDPOINT'];
    orders = createOrdersDaemon({
      databaseUrl: through.orders,
      brokerUrl: through.broker,
      host: '127.0.0.1',
      port: 0,
      retention: { inboxRetentionDays: 7, idempotencyRetentionDays: 7 },
      meter: telemetry.meter,
      log: silentLog,
    });
    url = await orders.start();
    expect(await orders.untilReady()).to.equal(true);
  });
  after(async () => {
    await orders?.stop();
    await telemetry?.stop();
    await collector?.close();
    await Promise.all(Object.values(ways).map((way) => way.close()));
  });

  /** What Prometheus is told of each: NaN when it is missing. */
  async function told() {
    const { of } = await scrape(telemetry.url as string);
    return {
      depth: of('tillbox_queue_depth', { queue: 'orders-outbox' }),
      oldest: of('tillbox_queue_oldest', { queue: 'orders-outbox' }),
      jobs: of('tillbox_queue_jobs', { queue: 'payment-results', state: 'ready' }),
      waiting: of('tillbox_pool_waiting', { database: 'orders' }),
      ready: of('tillbox_ready'),
    };
  }
  const healthy = { depth: 0, oldest: 0, jobs: 0, waiting: 0, ready: 1 };
  const patience = { withinMs: 20_000, everyMs: 50 };
  const becomes = (expected: Awaited<ReturnType<typeof told>>) =>
    eventually(async () => expect(await told()).to.deep.equal(expected), patience);
  const collects = (expected: Record<string, boolean>) =>
    eventually(() => {
      const has = Object.keys(expected).map((name) => [name, collector.names().includes(name)]);
      expect(Object.fromEntries(has)).to.deep.equal(expected);
    }, patience);

  it('leave out its places until it is back, and say that orders does not work, in what Prometheus reads and in what a collector is sent', async () => {
    await becomes(healthy);
    await collects({ 'tillbox.queue.depth': true, 'tillbox.queue.jobs': true });
    await ways.orders.close();
    await becomes({ ...healthy, depth: Number.NaN, oldest: Number.NaN, ready: 0 });
    await collects({
      'tillbox.queue.depth': false,
      'tillbox.queue.oldest': false,
      'tillbox.queue.jobs': true,
    });
    await ways.orders.open();
    await becomes(healthy);
    await collects({ 'tillbox.queue.depth': true, 'tillbox.queue.oldest': true });
  });

  it('leave out the queues while the broker is away, and say that orders does not work', async () => {
    await becomes(healthy);
    await ways.broker.close();
    expect((await fetch(`${url}/readyz`)).status, 'orders are accepted without it').to.equal(200);
    await becomes({ ...healthy, jobs: Number.NaN, ready: 0 });
    await collects({ 'tillbox.queue.depth': true, 'tillbox.queue.jobs': false });
    await ways.broker.open();
    await becomes(healthy);
    await collects({ 'tillbox.queue.jobs': true });
  });
});
