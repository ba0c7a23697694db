import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import pg from 'pg';
import { publishOnce } from '../../src/messaging/broker/stored-jobs.ts';
import { messageId } from '../../src/messaging/messages.ts';
import type { OrderView } from '../../src/orders/order.ts';
import { Collector } from '../support/collector.ts';
import { eventually } from '../support/eventually.ts';
import { RunningSystem } from '../support/running-system.ts';

describe('traces of a running system', function () {
  this.timeout(90_000);
  const collector = new Collector();
  let system: RunningSystem;
  let environment: Record<string, string>;

  before(async () => {
    await collector.start();
    environment = {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_METRICS_EXPORTER: 'none',
      OTEL_BSP_SCHEDULE_DELAY: '50',
    };
    system = new RunningSystem([], environment);
    await system.start();
    await system.json(['create-account', 'anna']);
    await system.json(['topup', 'anna', '100']);
  });
  after(async () => {
    await system.stop();
    await collector.stop();
  });

  /** A trace that a client begins. */
  function clientsTrace(flags = '01') {
    const traceId = randomBytes(16).toString('hex');
    const spanId = randomBytes(8).toString('hex');
    return { traceId, spanId, headers: { traceparent: `00-${traceId}-${spanId}-${flags}` } };
  }

  async function finalOrder(amount: string, headers: Record<string, string>): Promise<OrderView> {
    const { status, body } = await system.post<OrderView>('/orders', { user_id: 'anna', amount }, headers);
    expect(status).to.equal(201);
    return eventually(async () => {
      const { body: order } = await system.get<OrderView>(`/orders/${body.id}`, noTrace);
      expect(order.status).not.to.equal('NEW');
      return order;
    });
  }
  const noTrace = { traceparent: clientsTrace('00').headers.traceparent };

  const wayOf = (outcome: string, settled = 'tillbox-orders consumer settle payment-results') => [
    'tillbox-gateway server POST /orders',
    '  tillbox-orders internal create order',
    '    tillbox-orders producer publish payment-requests',
    '      tillbox-payments consumer receive payment-requests',
    `        tillbox-payments internal decide payment ${outcome}`,
    '          tillbox-payments producer publish payment-results',
    `            ${settled}`,
  ];

  it('tell the whole way of an order that is paid, as one tree within the trace of its client', async () => {
    const { traceId, spanId, headers } = clientsTrace();
    const order = await finalOrder('5.00', { ...headers, tracestate: 'shop=17' });
    expect(order.status).to.equal('FINISHED');
    await eventually(() => expect(collector.tree(traceId)).to.deep.equal(wayOf('payment.outcome=paid')));
    const spans = collector.of(traceId);
    const [root] = spans.filter(({ parentSpanId }) => parentSpanId === spanId);
    expect(root?.name).to.equal('POST /orders');
    expect(root?.traceState).to.equal('shop=17');
    expect(root?.attributes).to.deep.equal({
      'http.request.method': 'POST',
      'http.route': '/orders',
      'http.response.status_code': 201,
    });
    for (const span of spans.filter((one) => one !== root)) {
      expect(span.attributes['tillbox.order.id'], span.name).to.equal(order.id);
      expect(span.error).to.equal(undefined);
    }
    expect(spans.find(({ name }) => name === 'publish payment-requests')?.attributes).to.deep.equal({
      'messaging.system': 'pg-boss',
      'messaging.destination.name': 'payment-requests',
      'messaging.operation.name': 'publish',
      'messaging.operation.type': 'send',
      'tillbox.order.id': order.id,
    });
    const times = spans.sort((one, other) => Number(one.start - other.start));
    for (const { start, end } of times) expect(end >= start).to.equal(true);
    expect(new Set(times.map(({ instance }) => instance))).to.deep.equal(
      new Set(['gateway', 'orders', 'payments']),
    );
  });

  it('tell the way of an order that is canceled, and why', async () => {
    const { traceId, headers } = clientsTrace();
    expect((await finalOrder('5000.00', headers)).status).to.equal('CANCELED');
    const why = 'payment.outcome=failed payment.reason=INSUFFICIENT_FUNDS';
    await eventually(() => expect(collector.tree(traceId)).to.deep.equal(wayOf(why)));
  });

  it('show a message that comes again as known, beside its first delivery', async () => {
    const { traceId, headers } = clientsTrace();
    const order = await finalOrder('1.00', headers);
    await eventually(() => expect(collector.of(traceId)).to.have.length(7));
    const brokerUrl = await brokersUrl();
    const client = new pg.Client({ connectionString: brokerUrl });
    await client.connect();
    const { rows } = await client.query<{ data: { messages: { id: string }[] } }>(
      `select data from broker.job where name = 'payment-requests'`,
    );
    await client.end();
    const id = messageId(order.id, 'payment.requested.v1');
    const message = rows.flatMap(({ data }) => data.messages).find((one) => one.id === id);
    await publishOnce(brokerUrl, [{ queue: 'payment-requests', data: { messages: [message] } }]);
    const known = 'duplicate=true';
    await eventually(() =>
      expect(collector.tree(traceId)).to.deep.equal([
        'tillbox-gateway server POST /orders',
        '  tillbox-orders internal create order',
        '    tillbox-orders producer publish payment-requests',
        '      tillbox-payments consumer receive payment-requests',
        '        tillbox-payments internal decide payment payment.outcome=paid',
        '          tillbox-payments producer publish payment-results',
        '            tillbox-orders consumer settle payment-results',
        `        tillbox-payments internal decide payment payment.outcome=paid ${known}`,
        '          tillbox-payments producer publish payment-results',
        `            tillbox-orders consumer settle payment-results ${known}`,
        `      tillbox-payments consumer receive payment-requests ${known}`,
      ]),
    );
  });

  async function brokersUrl(): Promise<string> {
    const { stdout } = await system.run(['status', '--json', '--show-secrets']);
    return JSON.parse(stdout).databases.broker.url;
  }

  it('begin at the command line, in the trace of its environment if there is one', async () => {
    const { traceId, spanId, headers } = clientsTrace();
    const env = { ...environment, TRACEPARENT: headers.traceparent };
    const ran = await system.run(['create-order', 'anna', '1', '--json'], { env });
    expect(ran.code, ran.stderr).to.equal(0);
    const way = wayOf('payment.outcome=paid').map((line) => `  ${line}`);
    await eventually(() =>
      expect(collector.tree(traceId)).to.deep.equal(['tillbox client tillbox create-order', ...way]),
    );
    expect(collector.of(traceId).find(({ service }) => service === 'tillbox')?.parentSpanId).to.equal(spanId);
    const alone = await system.run(['create-order', 'anna', '1', '--json'], { env: environment });
    const { id } = JSON.parse(alone.stdout) as OrderView;
    await eventually(() => {
      const found = collector.spans.find((span) => span.attributes['tillbox.order.id'] === id);
      const tree = collector.tree(found?.traceId ?? '');
      expect(tree).to.deep.equal(['tillbox client tillbox create-order', ...way]);
    });
  });

  it('go on from TRACEPARENT where the command line itself sends nothing to a collector', async () => {
    const { traceId, headers } = clientsTrace();
    await system.run(['create-order', 'anna', '1'], { env: { TRACEPARENT: headers.traceparent } });
    await eventually(() => expect(collector.tree(traceId)).to.deep.equal(wayOf('payment.outcome=paid')));
    const garbage = await system.run(['balance', 'anna'], { env: { TRACEPARENT: 'garbage' } });
    expect(garbage.code).to.equal(0);
  });

  it('are none of an order whose client wants none, and a garbled header is no error', async () => {
    const { traceId, headers } = clientsTrace('00');
    const unsampled = await finalOrder('1.00', headers);
    await finalOrder('1.00', { traceparent: '00-zz-zz-01' });
    const { headers: sampled, traceId: later } = clientsTrace();
    await finalOrder('1.00', sampled);
    await eventually(() => expect(collector.of(later)).to.have.length(7));
    expect(collector.of(traceId)).to.deep.equal([]);
    const ids = collector.spans.map(({ attributes }) => attributes['tillbox.order.id']);
    expect(ids).not.to.include(unsampled.id);
  });

  it('are followed by the log: what it says of an order has the id of its trace', async () => {
    const { traceId, headers } = clientsTrace();
    const subject = '01a21348-072f-76c6-8722-5f482e82705e';
    const message = { type: 'nonsense', subject, traceparent: headers.traceparent };
    await publishOnce(await brokersUrl(), [{ queue: 'payment-requests', data: { messages: [message] } }]);
    await eventually(() => {
      const refused = system.log.filter(({ trace_id }) => trace_id === traceId);
      expect(refused.map(({ msg }) => msg)).to.include('messages refused');
      expect(collector.tree(traceId)).to.deep.equal([
        'tillbox-payments consumer receive payment-requests dead_letter=unknown-type',
        '  tillbox-payments producer publish payment-requests-dead-letters',
      ]);
    });
  });
});
