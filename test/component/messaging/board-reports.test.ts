import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import type { FastifyInstance } from 'fastify';
import pg from 'pg';
import { addBoardRoutes } from '../../../src/messaging/board.ts';
import { Broker } from '../../../src/messaging/broker/broker.ts';
import { noInstruments } from '../../../src/messaging/instruments.ts';
import { StepTally } from '../../../src/messaging/step-tally.ts';
import { reportOrders } from '../../../src/orders/board.ts';
import { reportPayments } from '../../../src/payments/board.ts';
import type { OrdersReport, PaymentsReport, RatesReport } from '../../../src/platform/board-report.ts';
import { createHttpServer } from '../../../src/platform/http-server.ts';
import { openForGateway } from '../../../src/platform/identity/service-door.ts';
import { useDatabases } from '../../support/databases.ts';
import { StepByStep } from '../../support/step-by-step.ts';
import { SteppedQueues } from '../../support/stepped-queues.ts';
import { silentLog } from '../../support/test-server.ts';

const credential = 'what-gateway-and-services-know-each-other-by';

describe('messaging: what services tell the board', () => {
  const databases = useDatabases();
  let services: StepByStep;
  let queues: SteppedQueues;
  let broker: Broker;
  let orders: FastifyInstance;
  let payments: FastifyInstance;
  let brokerDown = false;

  before(async () => {
    services = await StepByStep.open(databases.adminUrls);
    queues = new SteppedQueues(databases, services);
    broker = new Broker({ url: databases.urls.broker, name: 'test', log: silentLog });
    await broker.start();
    const depthsOf: Broker['depthsOf'] = async (...asked) => {
      if (brokerDown) throw new Error('away');
      return broker.depthsOf(...asked);
    };
    const serve = (name: 'orders' | 'payments') => {
      const app = createHttpServer({ log: silentLog, bodies: 'json' });
      openForGateway(app, credential);
      const database = services[name];
      const report = (ids: string[]) =>
        name === 'orders' ? reportOrders(database, ids) : reportPayments(database, ids);
      const tally = new StepTally(name, noInstruments);
      addBoardRoutes(app, { name, database, broker: { depthsOf }, tally, report });
      return app;
    };
    orders = serve('orders');
    payments = serve('payments');
    await services.user('alice', 100_00n);
  });
  after(async () => {
    await Promise.all([orders?.close(), payments?.close()]);
    await broker?.stop();
    await services?.close();
  });

  async function ask<Report>(app: FastifyInstance, url: string, principal = 'operator') {
    const headers = { 'x-tillbox-credential': credential, 'x-tillbox-principal': principal };
    const answer = await app.inject({ url, headers });
    return { status: answer.statusCode, body: answer.json() as Report & { code: string; errors?: object[] } };
  }
  const askOrders = async (query = '') => (await ask<OrdersReport>(orders, `/board${query}`)).body;
  const askPayments = async (query = '') => (await ask<PaymentsReport>(payments, `/board${query}`)).body;
  const depths = ({ queues }: Pick<OrdersReport, 'queues'>) => queues.map(({ name, depth }) => [name, depth]);

  it('follow an order step by step, by what waits and by its own way', async () => {
    const [id = ''] = await services.create('alice', 30_00n);
    const query = `?orders=${id}`;
    const order = async () => (await askOrders(query)).orders.find((one) => one.id === id);
    const payment = async () => (await askPayments(query)).payments[0];
    expect(depths(await askOrders())).to.deep.equal([
      ['orders-outbox', 1],
      ['payment-requests', 0],
      ['payment-results', 0],
      ['payment-requests-dead-letters', 0],
      ['payment-results-dead-letters', 0],
    ]);
    expect(await order()).to.deep.include({
      user_id: 'alice',
      amount: '30.00',
      status: 'NEW',
      published: false,
    });
    expect(await order()).not.to.have.property('description');
    expect(await payment()).to.equal(undefined);

    await services.publish('orders');
    expect(await order()).to.include({ published: true });
    expect(depths(await askPayments())).to.deep.equal([
      ['payment-requests', 1],
      ['payments-inbox', 0],
      ['payments-outbox', 0],
      ['payment-results', 0],
      ['payment-requests-dead-letters', 0],
      ['payment-results-dead-letters', 0],
    ]);
    expect(depths(await askOrders())[1]).to.deep.equal(['payment-requests', 1]);

    await queues.deliver('payment-requests');
    expect(await payment()).to.include({ order_id: id, decided_at: null, published: false });
    expect(depths(await askPayments())[1]).to.deep.equal(['payments-inbox', 1]);

    await services.process();
    expect((await payment())?.decided_at).to.be.a('string');
    expect(depths(await askPayments())[2]).to.deep.equal(['payments-outbox', 1]);

    await services.publish('payments');
    expect(depths(await askOrders())[2]).to.deep.equal(['payment-results', 1]);
    await queues.deliver('payment-results');
    expect(await payment()).to.include({ published: true });
    expect(await order()).to.include({ status: 'FINISHED', published: true });
    expect((await askOrders()).settle_ms).to.include({ orders: 1 });
  });

  it('tell the newest orders, and those that are asked for, each once, newest first', async () => {
    const old = await services.create('alice', 1n, 2n);
    await services.create('alice', 3n, 4n, 5n, 6n, 7n, 8n, 9n, 10n, 11n);
    const { orders: newest } = await askOrders();
    expect(newest).to.have.length(8);
    const { orders: both } = await askOrders(
      `?orders=${old.join(',').toUpperCase()},${newest[0]?.id},${randomUUID()}`,
    );
    expect(both).to.have.length(10);
    const ids = both.map(({ id }) => id);
    expect(ids)
      .to.deep.equal([...ids].sort().reverse())
      .and.to.include.members(old);
  });

  it('tell what they know while the broker does not answer', async () => {
    brokerDown = true;
    try {
      const told = await askOrders();
      expect(told.broker).to.equal(false);
      expect(told.queues.map(({ name }) => name)).to.deep.equal(['orders-outbox']);
    } finally {
      brokerDown = false;
    }
    expect((await askOrders()).broker).to.equal(true);
  });

  it('say soon that their database does not answer, when it hangs', async () => {
    const holder = new pg.Client({ connectionString: databases.adminUrls.orders });
    await holder.connect();
    await holder.query('begin; lock table orders.outbox in access exclusive mode');
    try {
      const { status, body } = await ask(orders, '/board');
      expect([status, body.code]).to.deep.equal([503, 'unavailable']);
      expect((await ask(orders, '/board/rates')).status).to.equal(200);
    } finally {
      await holder.end();
    }
    expect((await ask(orders, '/board')).status).to.equal(200);
  });

  it('tell their rates', async () => {
    const { body } = await ask<RatesReport>(payments, '/board/rates');
    expect(body.pid).to.equal(process.pid);
    expect(body.steps.map(({ number, step }) => `${number} ${step}`)).to.deep.equal([
      '3 received',
      '4 decided',
      '5 published',
    ]);
  });

  it('tell operators alone, and take nothing but ids', async () => {
    for (const path of ['/board', '/board/rates']) {
      for (const app of [orders, payments]) {
        expect(await ask(app, path, 'user alice')).to.deep.include({ status: 403 });
        expect((await app.inject({ url: path })).statusCode).to.equal(401);
      }
    }
    const tooMany = Array.from({ length: 17 }, () => randomUUID()).join(',');
    for (const query of [
      '?orders=',
      '?orders=x',
      `?orders=${randomUUID()},`,
      `?orders=${tooMany}`,
      '?other=1',
    ]) {
      expect((await ask(orders, `/board${query}`)).status, query).to.equal(400);
    }
  });
});
