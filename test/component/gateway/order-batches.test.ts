import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import {
  type AddressInfo,
  connect,
  createServer as createTcpServer,
  type Socket,
  type Server as TcpServer,
} from 'node:net';
import { expect } from 'chai';
import { Gateway } from '../../../src/gateway/daemon.ts';
import { OrderBatches } from '../../../src/gateway/order-batches.ts';
import { Upstreams } from '../../../src/gateway/upstreams.ts';
import { readConfig } from '../../../src/platform/config.ts';
import { CodedError } from '../../../src/platform/errors.ts';
import type { BatchedAnswer, BatchedRequest } from '../../../src/platform/http-batch.ts';
import { type Deferred, deferred, nextTurn } from '../../support/deferred.ts';
import { eventually } from '../../support/eventually.ts';
import {
  type AnswerBatch,
  createdAnswer,
  ordersListener,
  refusedAnswer,
} from '../../support/orders-service.ts';
import { silentLog } from '../../support/test-server.ts';

/** What an answer of a service that hangs not may take; less than the patience with one that hangs. */
const promptMsMax = 1_000;

describe('gateway: gathered orders', () => {
  const closers: (() => unknown)[] = [];
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });

  async function listening(server: Server | TcpServer): Promise<string> {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    closers.push(() => {
      server.close();
      if ('closeAllConnections' in server) server.closeAllConnections();
    });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  const service = (answerBatch: AnswerBatch) => listening(createServer(ordersListener(answerBatch)));
  const willing = () => service((orders) => orders.map(() => createdAnswer()));
  /** A service that takes connections and never answers. */
  const silence = () => listening(createTcpServer((socket) => socket.on('error', () => {}).resume()));

  /** A service whose batches are answered, each order with its name as id, when the test says so. */
  async function heldService() {
    const batches: { orders: BatchedRequest[]; answers: Deferred<BatchedAnswer[]> }[] = [];
    const url = await service((orders) => {
      const answers = deferred<BatchedAnswer[]>();
      batches.push({ orders, answers });
      return answers.promise;
    });
    const answer = async (index: number) => {
      await eventually(() => expect(batches.length).to.be.greaterThan(index));
      const { orders, answers } = batches[index] as (typeof batches)[number];
      answers.resolve(orders.map(({ body }) => createdAnswer(body.toString())));
    };
    return { url, answer, sizes: () => batches.map(({ orders }) => orders.length) };
  }

  function gatherFor(...urls: string[]) {
    const upstreams = new Upstreams('orders', urls);
    closers.push(() => upstreams.close());
    const batches = new OrderBatches(upstreams);
    const key = () => ({ 'idempotency-key': randomUUID() });
    /** What a client is told of the order of this name: id or code. */
    const order = async (name: string, headers: Record<string, string> = key()) => {
      try {
        const { status, body } = await batches.submit({ headers, body: Buffer.from(name) });
        const told = JSON.parse(body) as { id?: string; code?: string };
        return status === 201 ? told.id : told.code;
      } catch (error) {
        if (error instanceof CodedError) return error.code;
        throw error;
      }
    };
    return { order, withoutKey: (name: string) => order(name, {}) };
  }

  const names = (count: number) => Array.from({ length: count }, (_, index) => `order-${index}`);

  it('go at once and alone when idle, together while others are on their way, and each gets its own answer', async () => {
    const { url, answer, sizes } = await heldService();
    const { order } = gatherFor(url);
    const first = order('first');
    await nextTurn();
    const second = order('second');
    await nextTurn();
    const rest = names(20).map((name) => order(name));
    await answer(1);
    expect(await second).to.equal('second');
    await answer(2);
    expect(await Promise.all(rest)).to.deep.equal(names(20));
    await answer(0);
    expect(await first).to.equal('first');
    expect(sizes()).to.deep.equal([1, 1, 20]);
  });

  it('are sent again when their batch is cut off and they have keys, and are of unknown outcome otherwise', async () => {
    const seen: string[] = [];
    const { order, withoutKey } = gatherFor(
      await service((orders) => {
        const batch = orders.map(({ body }) => body.toString()).join();
        seen.push(batch);
        return seen.filter((one) => one === batch).length > 1 ? orders.map(() => createdAnswer()) : undefined;
      }),
    );
    const keyed = [order('a'), order('b')];
    const unkeyed = [withoutKey('c'), withoutKey('d')];
    expect(await Promise.all(keyed)).to.deep.equal(['x', 'x']);
    expect(await Promise.all(unkeyed)).to.deep.equal(['outcome-unknown', 'outcome-unknown']);
    expect(seen).to.have.members(['a,b', 'a,b', 'c,d']);
  });

  it('are sent to another instance when one dies with their batch', async () => {
    const dying = createServer(
      ordersListener(() => {
        dying.close();
        return undefined;
      }),
    );
    const { order } = gatherFor(await listening(dying), await willing());
    for (const _ of [1, 2, 3]) {
      expect(await Promise.all(names(5).map((name) => order(name)))).to.deep.equal(Array(5).fill('x'));
    }
    expect(dying.listening).to.equal(false);
  });

  it('have got no answer when what came is no batch of answers', async () => {
    for (const text of ['{"id":"x"}', '[]\n', '[[{"status":201,"headers":{}},5]]\n{}', '']) {
      const { order, withoutKey } = gatherFor(
        await listening(createServer((_request, response) => response.writeHead(200).end(text))),
      );
      expect([await order('a'), await withoutKey('b')], text).to.deep.equal(Array(2).fill('outcome-unknown'));
    }
  });

  it('are refused as the instance says, but not while another may still do it', async () => {
    const refusing = await service((orders) =>
      orders.map((_, index) => (index % 2 === 0 ? refusedAnswer() : createdAnswer())),
    );
    const one = gatherFor(refusing);
    expect(await Promise.all([one.order('a'), one.order('b')])).to.deep.equal(['unavailable', 'x']);
    // One of two begins with the instance that never answers.
    const two = gatherFor(await silence(), refusing);
    const answers = [];
    for (const _ of [1, 2]) answers.push((await Promise.all([two.order('a'), two.order('b')])).join());
    expect(answers).to.have.members(['unavailable,x', 'outcome-unknown,x']);
  });

  it('are spread over the instances', async () => {
    const counts = [0, 0, 0];
    const urls = counts.map((_, index) =>
      service((orders) => {
        counts[index] = (counts[index] ?? 0) + 1;
        return orders.map(() => createdAnswer());
      }),
    );
    const { order } = gatherFor(...(await Promise.all(urls)));
    for (const name of names(30)) await order(name);
    expect(counts).to.deep.equal([10, 10, 10]);
  });

  it('wait behind no instance that hangs, but for the batches it got before that was known', async () => {
    const { order } = gatherFor(await silence(), await willing());
    let late = 0;
    const client = async () => {
      for (let count = 0; count < 20; count += 1) {
        const since = performance.now();
        expect(await order('a')).to.equal('x');
        if (performance.now() - since > promptMsMax) late += 1;
      }
    };
    await Promise.all(Array.from({ length: 30 }, client));
    // Two batches of what had come by then.
    expect(late).to.be.within(1, 60);
    late = 0;
    await client();
    expect(late).to.equal(0);
  });

  it('are sent again to an instance that hung once it says that it is ready', async () => {
    let hangs = true;
    let taken = 0;
    const listener = ordersListener((orders) => {
      taken += orders.length;
      return orders.map(() => createdAnswer());
    });
    const mending = createServer((request, response) => (hangs ? undefined : listener(request, response)));
    const { order } = gatherFor(await listening(mending), await willing());
    expect([await order('a'), await order('b')]).to.deep.equal(['x', 'x']);
    hangs = false;
    await eventually(async () => {
      await order('c');
      expect(taken).to.be.greaterThan(0);
    });
  });

  it('are refused early, with nothing stored, when they wait too long or are too many', async () => {
    const { url, sizes } = await heldService();
    const { order } = gatherFor(url);
    const taken = [order('first')];
    await nextTurn();
    taken.push(order('second'));
    await nextTurn();
    const waiting = names(4_000).map((name) => order(name));
    expect(await order('one too many')).to.equal('overloaded');
    expect(new Set(await Promise.all(waiting))).to.deep.equal(new Set(['unavailable']));
    expect(await Promise.all(taken)).to.deep.equal(['outcome-unknown', 'outcome-unknown']);
    // With keys, they were not even tried again at an instance that hangs.
    expect(sizes()).to.deep.equal([1, 1]);
  });
});

describe('a gateway before an orders service', () => {
  const closers: (() => unknown)[] = [];
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });

  async function startGateway(answerBatch: AnswerBatch) {
    const server = createServer(ordersListener(answerBatch)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const urls = [`http://127.0.0.1:${(server.address() as AddressInfo).port}`];
    const { door } = readConfig({});
    const settings = { host: '127.0.0.1', port: 0, ordersUrls: urls, paymentsUrls: urls, door };
    const gateway = new Gateway({ ...settings, log: silentLog });
    closers.push(
      () => server.close().closeAllConnections(),
      () => gateway.stop(),
    );
    return { gateway, url: await gateway.start() };
  }

  it('passes on what makes an order one, and each answer to who asked', async () => {
    const seen: BatchedRequest[] = [];
    const { url } = await startGateway((orders) => {
      seen.push(...orders);
      return orders.map(({ body }) => createdAnswer(JSON.parse(body.toString()).user_id));
    });
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    const ask = (name: string) =>
      fetch(`${url}/orders`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json; charset=utf-8',
          'idempotency-key': `key-${name}`,
          'x-request-id': `id-${name}`,
          'x-other': 'stays here',
          traceparent,
        },
        body: `{"user_id":"${name}"}`,
      });
    const answers = await Promise.all(['a', 'b', 'c'].map(ask));
    for (const [index, name] of ['a', 'b', 'c'].entries()) {
      const answer = answers[index] as Response;
      expect(answer.status).to.equal(201);
      expect(answer.headers.get('location')).to.equal(`/orders/${name}`);
      expect(answer.headers.get('x-request-id')).to.equal(`id-${name}`);
      expect(answer.headers.get('content-type')).to.equal('application/json; charset=utf-8');
      expect(await answer.text()).to.equal(`{"id":"${name}"}`);
      const order = seen.find(({ headers }) => headers['idempotency-key'] === `key-${name}`);
      expect(order?.headers).to.deep.equal({
        'x-request-id': `id-${name}`,
        'idempotency-key': `key-${name}`,
        traceparent,
      });
    }
  });

  it('passes on a refusal as it is', async () => {
    const { url } = await startGateway((orders) => orders.map(refusedAnswer));
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${url}/orders`, { method: 'POST', headers, body: '{}' });
    const expected = refusedAnswer();
    expect(answer.status).to.equal(expected.status);
    expect(answer.headers.get('content-type')).to.equal(expected.headers['content-type']);
    expect(answer.headers.get('retry-after')).to.equal(expected.headers['retry-after']);
    expect(await answer.text()).to.equal(expected.body);
  });

  it('lets no client reach the route that takes batches', async () => {
    let seen = 0;
    const { url } = await startGateway((orders) => {
      seen += 1;
      return orders.map(() => createdAnswer());
    });
    for (const type of ['application/vnd.tillbox.batch', 'application/json']) {
      const headers = { 'content-type': type };
      const answer = await fetch(`${url}/orders/batch`, { method: 'POST', headers, body: '[]\n' });
      expect(answer.status).to.equal(405);
    }
    expect(seen).to.equal(0);
  });

  it('answers what it has gathered before it stops', async () => {
    const held = deferred();
    let batches = 0;
    const { gateway, url } = await startGateway(async (orders) => {
      batches += 1;
      if (batches <= 2) await held.promise;
      return orders.map(() => createdAnswer());
    });
    const port = Number(new URL(url).port);
    const body = '{"user_id":"a","amount":1}';
    const head = `POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}`;
    const send = async () => {
      const socket = connect(port, '127.0.0.1').setEncoding('utf8');
      await once(socket, 'connect');
      socket.write(`${head}\r\n\r\n${body}`);
      return socket;
    };
    const sockets: Socket[] = [];
    for (const count of [1, 2]) {
      sockets.push(await send());
      await eventually(() => expect(batches).to.equal(count));
    }
    for (const _ of names(5)) sockets.push(await send());
    // Read in turn: what was written before these were asked for has arrived.
    for (const _ of [1, 2]) expect((await fetch(`${url}/livez`)).status).to.equal(200);
    const stopped = gateway.stop();
    held.resolve();
    for (const socket of sockets) {
      let text = '';
      for await (const part of socket) text += part;
      expect(text).to.match(/^HTTP\/1.1 201 /);
    }
    await stopped;
  });

  const names = (count: number) => Array.from({ length: count });
});
