import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect } from 'chai';
import { Board, type BoardSettings } from '../../../src/gateway/board/board.ts';
import type { BoardDocument } from '../../../src/gateway/board/board-document.ts';
import { boardSchema } from '../../../src/gateway/board/board-schema.ts';
import { eventsIn } from '../../../src/gateway/board/page/stream.js';
import { Upstreams } from '../../../src/gateway/upstreams.ts';
import {
  type OrdersReport,
  type PaymentsReport,
  type QueueView,
  reportMsMax,
} from '../../../src/platform/board-report.ts';
import { eventually } from '../../support/eventually.ts';

const everyMs = 20;

/** A service that tells what the test wants, or nothing. */
interface FakeService {
  url: string;
  paths: string[];
  answers: boolean;
  /** How long it takes to tell what it knows of its databases. */
  reportMs: number;
  status: number;
  report: object;
}

describe('gateway: the board', () => {
  const closers: (() => unknown)[] = [];
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });

  async function listening(server: Server): Promise<string> {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    closers.push(
      () => server.closeAllConnections(),
      () => server.close(),
    );
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  async function fakeService(step: number, report: object): Promise<FakeService> {
    const service: FakeService = { url: '', paths: [], answers: true, reportMs: 0, status: 200, report };
    service.url = await listening(
      createServer((asked, response) => {
        if (!service.answers) return asked.socket.destroy();
        service.paths.push(asked.url ?? '');
        const isRates = asked.url === '/board/rates';
        const steps = [{ number: step, step: step === 1 ? 'created' : 'decided', per_s: 2.5 }];
        const answer = () => {
          response.writeHead(isRates ? 200 : service.status, { 'content-type': 'application/json' });
          response.end(JSON.stringify(isRates ? { pid: 1, steps } : service.report));
        };
        if (isRates || service.reportMs === 0) answer();
        else setTimeout(answer, service.reportMs);
      }),
    );
    return service;
  }

  const queue = (name: string, kind: QueueView['kind']): QueueView => ({
    name,
    kind,
    depth: 3,
    estimated: false,
    oldest_s: 0.4,
    in_flight: null,
    retrying_jobs: null,
    in_per_s: null,
    out_per_s: null,
  });
  const order = (changes: object = {}) => ({
    id: randomUUID(),
    user_id: 'alice',
    amount: '1.00',
    status: 'NEW',
    reason: null,
    created_at: '2026-01-01T00:00:00.000Z',
    settled_at: null,
    published: true,
    ...changes,
  });

  /** Two services, and a board that asks them, on a server of its own. */
  async function boardOf(settings: Partial<BoardSettings> = {}) {
    const ordersReport: OrdersReport = {
      queues: [queue('orders-outbox', 'outbox')],
      broker: true,
      orders: [order()],
      settle_ms: { p50: 20, p95: 40, orders: 7 },
    };
    const paymentsReport: PaymentsReport = {
      queues: [queue('payments-inbox', 'inbox')],
      broker: true,
      payments: [],
    };
    const orders = await fakeService(1, ordersReport);
    const payments = await fakeService(4, paymentsReport);
    const upstreams = {
      orders: new Upstreams('orders', [orders.url], 'a-credential'),
      payments: new Upstreams('payments', [payments.url], 'a-credential'),
    };
    const board = new Board({ upstreams, everyMs, ...settings });
    const url = await listening(
      createServer((_request, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        board.watch(response);
      }),
    );
    closers.push(
      () => board.stop(),
      () => Promise.all([upstreams.orders.close(), upstreams.payments.close()]),
    );
    return { board, url, orders, payments, ordersReport, paymentsReport };
  }

  /** A client that takes events one by one, as the page does. */
  async function watch(url: string) {
    const aborting = new AbortController();
    closers.push(() => aborting.abort());
    const answer = await fetch(url, { signal: aborting.signal });
    const events = eventsIn(answer.body as ReadableStream<Uint8Array>);
    const next = async (): Promise<BoardDocument | undefined> => (await events.next()).value as BoardDocument;
    const until = (holds: (document: BoardDocument) => boolean) =>
      eventually(async () => {
        const document = await next();
        if (document === undefined || !holds(document))
          throw new Error(`not yet: ${JSON.stringify(document)}`);
        return document;
      });
    return { next, until, leave: () => aborting.abort() };
  }

  it('tells all it was told, as its published schema says', async () => {
    const { url, ordersReport } = await boardOf();
    const { next } = await watch(url);
    const document = await next();
    const isBoard = new Ajv2020({ strict: false, validateFormats: false }).compile(boardSchema);
    expect(isBoard(document), JSON.stringify(isBoard.errors)).to.equal(true);
    expect(document?.steps.map(({ per_s }) => per_s)).to.deep.equal([2.5, null, null, 2.5, null, null]);
    expect(document?.queues.map(({ name }) => name)).to.deep.equal(['orders-outbox', 'payments-inbox']);
    const [first] = ordersReport.orders;
    expect(document?.orders?.map(({ id, reached }) => [id, reached])).to.deep.equal([[first?.id, 2]]);
    expect(document?.settle_ms).to.deep.equal({ p50: 20, p95: 40, orders: 7 });
    expect(document?.blind).to.deep.equal([]);
  });

  it('follows the orders it shows: both services are asked for them', async () => {
    const { url, orders, payments, ordersReport, paymentsReport } = await boardOf();
    const { until } = await watch(url);
    const [first] = ordersReport.orders as [(typeof ordersReport.orders)[number]];
    await until((document) => document.orders?.[0]?.reached === 2);
    paymentsReport.payments = [
      { order_id: first.id, received_at: first.created_at, decided_at: first.created_at, published: false },
    ];
    await until((document) => document.orders?.[0]?.reached === 4);
    Object.assign(first, { status: 'FINISHED', settled_at: first.created_at });
    await until((document) => document.orders?.[0]?.reached === 6);
    for (const { paths } of [orders, payments]) expect(paths).to.include(`/board?orders=${first.id}`);
  });

  it('asks nothing while nobody watches, once for all who do, and nothing again after the last has left', async () => {
    const { board, url, orders } = await boardOf();
    expect(orders.paths).to.deep.equal([]);
    const watchers = await Promise.all(Array.from({ length: 20 }, () => watch(url)));
    for (const { next } of watchers) for (let event = 0; event < 5; event += 1) await next();
    const asked = orders.paths.filter((path) => path !== '/board/rates').length;
    // 20 watchers that each saw 5 looks; each asking by itself would make a hundred.
    expect(asked).to.be.within(5, 60);
    for (const { leave } of watchers) leave();
    await eventually(() => expect(board.size).to.equal(0));
    await eventually(async () => {
      const before = orders.paths.length;
      await new Promise((resolve) => setTimeout(resolve, everyMs * 5));
      expect(orders.paths.length).to.equal(before);
    });
    const again = await watch(url);
    expect((await again.next())?.orders).to.have.length(1);
  });

  it('says which part is blind, since when, and sees again by itself', async () => {
    const { url, payments, orders } = await boardOf();
    const { until } = await watch(url);
    await until(({ blind }) => blind.length === 0);
    payments.answers = false;
    const { blind, steps, queues, instances } = await until((document) => document.blind.length === 1);
    expect(blind[0]).to.include({ what: 'payments', detail: 'The payments service does not answer.' });
    expect(steps[3]?.per_s).to.equal(null);
    expect(queues.map(({ name }) => name)).to.deep.equal(['orders-outbox']);
    expect(instances.payments).to.deep.equal({ answering: 0, of: 1 });
    orders.status = 503;
    const both = await until((document) => document.blind.length === 2);
    expect(both.blind.find(({ what }) => what === 'payments')?.since).to.equal(blind[0]?.since);
    expect(both.blind.find(({ what }) => what === 'orders')?.detail).to.contain('database');
    expect(both.orders).to.equal(null);
    payments.answers = true;
    orders.status = 200;
    await until((document) => document.blind.length === 0 && document.orders?.length === 1);
  });

  it('takes no service for one that is away because its broker or its database hangs, from the first event on', async () => {
    const { url, orders, payments, ordersReport } = await boardOf();
    // As long as a service asks a database that hangs; then it says so.
    Object.assign(orders, { reportMs: reportMsMax });
    ordersReport.broker = false;
    Object.assign(payments, { reportMs: reportMsMax, status: 503 });
    const { next } = await watch(url);
    const first = await next();
    expect(first?.blind.map(({ what, detail }) => `${what}: ${detail}`)).to.deep.equal([
      'payments: The payments service runs, but its database does not answer.',
      'broker: The broker does not answer: what waits in the queues is not seen.',
    ]);
    // A later one waits for nobody so long, and tells what was known last.
    const begunAt = performance.now();
    expect((await next())?.blind).to.have.length(2);
    expect(performance.now() - begunAt).to.be.lessThan(reportMsMax);
  });

  it('has room for so many and no more, and for another when one has left', async () => {
    const { board, url } = await boardOf({ watchersMax: 2 });
    const first = await watch(url);
    await watch(url);
    await eventually(() => expect(board.size).to.equal(2));
    expect(() => board.checkRoom())
      .to.throw('watched by 2')
      .with.property('code', 'overloaded');
    first.leave();
    await eventually(() => board.checkRoom());
  });

  it('holds no more than an event for who does not read, and leaves them out until they do', async () => {
    const { board, url, ordersReport } = await boardOf({ everyMs: 1 });
    // A large document fills what the system keeps between, soon.
    ordersReport.queues = Array.from({ length: 2_000 }, (_, index) => queue(`outbox-${index}`, 'outbox'));
    const responses: ServerResponse[] = [];
    const watchReal = board.watch.bind(board);
    board.watch = (response) => {
      responses.push(response);
      watchReal(response);
    };
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    closers.push(() => socket.destroy());
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    socket.pause();
    const held = () => responses[0]?.writableLength ?? 0;
    await eventually(() => expect(responses[0]?.writableNeedDrain).to.equal(true), { withinMs: 20_000 });
    const eventBytes = JSON.stringify(ordersReport.queues).length * 1.2;
    const beside = await watch(url);
    for (let event = 0; event < 20; event += 1) await beside.next();
    expect(held()).to.be.within(1, eventBytes);
    // It reads again: it is told what is now, not all that was.
    socket.resume();
    await eventually(() => expect(responses[0]?.writableNeedDrain).to.equal(false), { withinMs: 20_000 });
  });

  it('ends a stream after its time, and all of them when it stops', async () => {
    const { url } = await boardOf({ watchMsMax: 50 });
    const { next } = await watch(url);
    await eventually(async () => expect(await next()).to.equal(undefined));
    const { board, url: other } = await boardOf();
    const { until, next: nextOther } = await watch(other);
    await until(({ blind }) => blind.length === 0);
    await board.stop();
    await eventually(async () => expect(await nextOther()).to.equal(undefined));
    expect(() => board.checkRoom()).to.throw();
    await board.stop();
  });

  it('shows the services that it is the gateway, and asks as an operator', async () => {
    const heads: Record<string, unknown>[] = [];
    const url = await listening(
      createServer((asked, response) => {
        heads.push(asked.headers);
        response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
      }),
    );
    const upstreams = new Upstreams('orders', [url], 'a-credential');
    closers.push(() => upstreams.close());
    await upstreams.askOne('/board');
    await upstreams.askAll('/board/rates');
    for (const head of heads) {
      expect(head).to.include({ 'x-tillbox-credential': 'a-credential', 'x-tillbox-principal': 'operator' });
    }
    expect(heads).to.have.length(2);
  });

  it('asks another instance when one does not answer', async () => {
    const good = await fakeService(1, { good: true });
    const away = await fakeService(1, {});
    away.answers = false;
    const upstreams = new Upstreams('orders', [away.url, good.url]);
    closers.push(() => upstreams.close());
    for (let time = 0; time < 3; time += 1) {
      expect(await upstreams.askOne('/board')).to.deep.equal({ statusCode: 200, answer: { good: true } });
    }
    good.status = 503;
    expect((await upstreams.askOne('/board'))?.statusCode).to.equal(503);
  });
});
