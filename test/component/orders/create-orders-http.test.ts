import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import type { FastifyInstance } from 'fastify';
import { OrderCreation } from '../../../src/orders/create-orders.ts';
import { addOrderRoutes } from '../../../src/orders/http.ts';
import { PublicationWatch } from '../../../src/orders/publication-watch.ts';
import { SettlementWatch } from '../../../src/orders/settlement-watch.ts';
import {
  type BatchedAnswer,
  type BatchedRequest,
  batchMediaType,
  batchSizeMax,
  decodeAnswers,
  encodeRequests,
} from '../../../src/platform/http-batch.ts';
import { createHttpServer } from '../../../src/platform/http-server.ts';
import { principalHeaderName } from '../../../src/platform/identity/gateway-credential.ts';
import { openForGateway } from '../../../src/platform/identity/service-door.ts';
import { useDatabases } from '../../support/databases.ts';
import { silentLog } from '../../support/test-server.ts';

describe('orders: a batch of orders over HTTP', () => {
  const databases = useDatabases();
  let app: FastifyInstance;
  let pokes: number;

  beforeEach(() => {
    pokes = 0;
    const { orders: database } = databases;
    const creation = new OrderCreation({
      database,
      afterCommit: () => {
        pokes += 1;
      },
    });
    app = createHttpServer({ log: silentLog, bodies: 'json' });
    openForGateway(app, undefined);
    const watch = new SettlementWatch({ database, log: silentLog });
    const publications = new PublicationWatch({ database, log: silentLog });
    addOrderRoutes(app, { database, creation, watch, publications, log: silentLog });
  });
  afterEach(() => app.close());

  const userId = `user-${randomUUID()}`;
  const json = (about: object = {}) => JSON.stringify({ user_id: userId, amount: '1.00', ...about });

  function part(body: string | Buffer, headers: Record<string, string> = {}): BatchedRequest {
    return { headers: { 'x-request-id': randomUUID(), ...headers }, body: Buffer.from(body) };
  }

  const post = (payload: string | Buffer, type = batchMediaType) =>
    app.inject({ method: 'POST', url: '/orders/batch', headers: { 'content-type': type }, payload });

  async function together(parts: BatchedRequest[]): Promise<BatchedAnswer[]> {
    const answer = await post(encodeRequests(parts));
    expect(answer.statusCode).to.equal(200);
    return decodeAnswers(answer.rawPayload, parts.length);
  }

  async function alone({ headers, body }: BatchedRequest) {
    const answer = await app.inject({
      method: 'POST',
      url: '/orders',
      headers: { 'content-type': 'application/json', ...headers },
      payload: body,
    });
    const { location, 'idempotent-replayed': replayed } = answer.headers;
    const retryAfter = answer.headers['retry-after'];
    return {
      status: answer.statusCode,
      headers: {
        'content-type': answer.headers['content-type'],
        ...(location === undefined ? {} : { location }),
        ...(replayed === undefined ? {} : { 'idempotent-replayed': replayed }),
        ...(retryAfter === undefined ? {} : { 'retry-after': retryAfter }),
      },
      body: answer.payload,
    };
  }

  async function storedOrders(): Promise<number> {
    return (await databases.sql('orders', 'select id from orders.orders where user_id = $1', [userId]))
      .length;
  }

  it('answers each as if it had come alone, to the byte: good, bad, replayed, and under a key that was used', async () => {
    const key = { 'idempotency-key': randomUUID() };
    const first = part(json({ description: 'two tickets — "Ночь", 🎟' }), key);
    const created = await alone(first);
    const before = await storedOrders();
    const parts = [
      part(json({ amount: '2.00', description: 'no' }), key),
      first,
      part(json({ amount: 0, status: 'FINISHED' })),
      part('{"user_id":'),
      part(''),
      part('[]'),
      part(Buffer.from([0xff, 0xfe, 0x00])),
      part(json(), { 'idempotency-key': 'a b' }),
      part(json(), { 'idempotency-key': '' }),
      part(json({ description: '\ud800' })),
      part(json({ x: '['.repeat(5_000) })),
    ];
    const answers = await together(parts);
    const expected = [];
    for (const one of parts) expected.push(await alone(one));
    expect(answers).to.deep.equal(expected);
    const statuses = [422, 201, ...Array.from({ length: 9 }, () => 400)];
    expect(answers.map(({ status }) => status)).to.deep.equal(statuses);
    expect(answers[1]?.headers).to.include({
      location: created.headers.location,
      'idempotent-replayed': 'true',
    });
    const ids = answers.filter(({ status }) => status !== 201).map(({ body }) => JSON.parse(body).request_id);
    expect(ids).to.deep.equal(
      parts.filter((one) => one !== first).map(({ headers }) => headers['x-request-id']),
    );
    expect(await storedOrders()).to.equal(before);
  });

  it('stores the good ones together, whatever stands beside them', async () => {
    const before = await storedOrders();
    const bad = part(json({ amount: 'much' }));
    const answers = await together([part(json()), bad, part(json({ amount: 49.9 })), bad, part(json())]);
    expect(answers.map(({ status }) => status)).to.deep.equal([201, 400, 201, 400, 201]);
    const orders = [answers[0], answers[2], answers[4]].map((answer) => JSON.parse(String(answer?.body)));
    expect(orders.map(({ amount }) => amount)).to.deep.equal(['1.00', '49.90', '1.00']);
    expect(orders.map(({ id }) => `/orders/${id}`)).to.deep.equal(
      [answers[0], answers[2], answers[4]].map((answer) => answer?.headers['location']),
    );
    expect(await storedOrders()).to.equal(before + 3);
    expect(pokes).to.equal(1);
  });

  it('creates one order of two under the same key, and replays it to the other', async () => {
    const key = { 'idempotency-key': randomUUID() };
    const [first, second] = await together([part(json(), key), part(json(), key)]);
    expect(first?.body).to.equal(second?.body);
    expect([first, second].map((answer) => answer?.headers['idempotent-replayed'])).to.have.members([
      undefined,
      'true',
    ]);
  });

  it('refuses what is no batch, and stores nothing of it', async () => {
    const before = await storedOrders();
    const good = encodeRequests([part(json())]);
    const line = (text: string) => Buffer.from(`${text}\n`);
    const bytes = json().length;
    for (const batch of [
      '',
      '\n',
      'garbage',
      '[]\n',
      '{}\n',
      'null\n',
      good.subarray(0, -1),
      Buffer.concat([good, Buffer.from('x')]),
      Buffer.concat([line(`[[{},${bytes + 1}]]`), Buffer.from(json())]),
      Buffer.concat([line(`[[{},-1],[{},${bytes + 1}]]`), Buffer.from(json())]),
      Buffer.concat([line(`[[{},"${bytes}"]]`), Buffer.from(json())]),
      Buffer.concat([line(`[[null,${bytes}]]`), Buffer.from(json())]),
      Buffer.concat([line(`[[{"idempotency-key":5},${bytes}]]`), Buffer.from(json())]),
      Buffer.concat([line(`[${bytes}]`), Buffer.from(json())]),
      encodeRequests(Array.from({ length: batchSizeMax + 1 }, () => part(json()))),
    ]) {
      const answer = await post(batch);
      expect(answer.statusCode, String(batch).slice(0, 60)).to.equal(400);
      expect(answer.json()).to.include({ code: 'malformed-request' });
    }
    expect((await app.inject({ method: 'POST', url: '/orders/batch' })).statusCode).to.equal(400);
    expect((await post(json(), 'application/json')).statusCode).to.equal(415);
    expect((await post(json(), 'text/plain')).statusCode).to.equal(415);
    const single = await app.inject({
      method: 'POST',
      url: '/orders',
      headers: { 'content-type': batchMediaType },
      payload: good,
    });
    expect(single.statusCode).to.equal(415);
    expect(await storedOrders()).to.equal(before);
  });

  it('decides for each order of a batch whether who asks may have it', async () => {
    const as = (principal: string) => ({ [principalHeaderName]: principal });
    const answers = await together([
      part(json(), as(`user ${userId}`)),
      part(json(), as('user mallory')),
      part(json(), as('operator')),
      part(json(), as('root')),
      part(json()),
    ]);
    expect(answers.map(({ status }) => status)).to.deep.equal([201, 404, 201, 401, 201]);
  });
});
