import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { messageId } from '../../../src/messaging/messages.ts';
import { type Created, OrderCreation } from '../../../src/orders/create-orders.ts';
import type { OrderRequest } from '../../../src/orders/order.ts';
import type { Database, Statement } from '../../../src/platform/database.ts';
import { CodedError } from '../../../src/platform/errors.ts';
import { useDatabases } from '../../support/databases.ts';
import { refusal } from '../../support/refusal.ts';

describe('orders: create orders', () => {
  const databases = useDatabases();
  let pokes: number;
  let creation: OrderCreation;

  beforeEach(() => {
    pokes = 0;
    creation = creationOn(databases.orders);
  });

  function creationOn(database: Database): OrderCreation {
    return new OrderCreation({
      database,
      afterCommit: () => {
        pokes += 1;
      },
    });
  }

  function request(about: Partial<OrderRequest> = {}): OrderRequest {
    return {
      userId: `user-${randomUUID()}`,
      amount: 4990n,
      description: 'two tickets',
      idempotencyKey: undefined,
      traceparent: undefined,
      ...about,
    };
  }

  /** The result as created; fails when it is a refusal. */
  function created(result: Created | CodedError | undefined): Created {
    if (result === undefined || result instanceof CodedError) throw result;
    return result;
  }

  async function ordersOf(userId: string): Promise<{ id: string; status: string; amount: string }[]> {
    return databases.sql('orders', 'select id, status, amount from orders.orders where user_id = $1', [
      userId,
    ]);
  }

  async function requestsFor(userId: string): Promise<{ queue: string; message: { id: string } }[]> {
    return databases.sql(
      'orders',
      `select queue, message from orders.outbox, json_array_elements(messages) as message
        where message -> 'data' ->> 'user_id' = $1`,
      [userId],
    );
  }

  /** A connection failure as node-postgres reports one whose answer never came. */
  function lostAnswer(): Error {
    return Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
  }

  /**
   * The orders database with a bad link: `fault` sees each statement with what runs it for real, and runs it or throws,
   * before or after.
   */
  function withBadLink(
    fault: (statement: Statement, run: () => Promise<object[]>) => Promise<object[]>,
  ): Database {
    const query = (statement: Statement, values?: readonly unknown[]) =>
      fault(statement, () => databases.orders.query(statement, values));
    return { query } as unknown as Database;
  }

  it('stores an order as NEW, and its payment request in the outbox', async () => {
    const wanted = request();
    const { order, replayed } = await creation.create(wanted);
    expect(replayed).to.equal(false);
    expect(order).to.include({
      userId: wanted.userId,
      amount: 4990n,
      status: 'NEW',
      description: 'two tickets',
    });
    expect(order).to.include({ reason: null, settledAt: null });
    expect(await ordersOf(wanted.userId)).to.deep.equal([{ id: order.id, status: 'NEW', amount: '4990' }]);
    const [announced, ...others] = await requestsFor(wanted.userId);
    expect(others).to.deep.equal([]);
    expect(announced?.queue).to.equal('payment-requests');
    expect(announced?.message).to.deep.include({
      id: messageId(order.id, 'payment.requested.v1'),
      type: 'payment.requested.v1',
      data: { order_id: order.id, user_id: wanted.userId, amount: '49.90' },
    });
    expect(pokes).to.equal(1);
  });

  it('hands the trace context on with the request', async () => {
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    const { order } = await creation.create(request({ traceparent }));
    const [announced] = await requestsFor(order.userId);
    expect(announced?.message).to.include({ traceparent });
  });

  it('keeps whatever well-formed text a description is', async () => {
    const description = `'; drop table orders.orders; -- "quoted" \\u0041 \n\t 😀 \u202e`;
    const { order } = await creation.create(request({ description }));
    const [row] = await databases.sql<{ description: string }>(
      'orders',
      'select description from orders.orders where id = $1',
      [order.id],
    );
    expect(row?.description).to.equal(description);
  });

  it('answers a batch of new, replayed and reused keys and of none, each in its place', async () => {
    const userId = `user-${randomUUID()}`;
    const first = await creation.create(request({ userId, idempotencyKey: 'known' }));
    const results = await creation.createOrders([
      request({ userId }),
      request({ userId, idempotencyKey: 'known' }),
      request({ userId, idempotencyKey: 'known', amount: 1n }),
      request({ userId, idempotencyKey: 'new' }),
      request({ userId, idempotencyKey: 'known', description: 'three tickets' }),
      request({ userId }),
      request({ idempotencyKey: 'known' }),
    ]);
    expect(results[1]).to.deep.equal({ order: first.order, replayed: true });
    for (const index of [2, 4]) expect(results[index]).to.have.property('code', 'idempotency-key-reused');
    const fresh = [0, 3, 5, 6].map((index) => created(results[index]));
    expect(fresh.map(({ replayed }) => replayed)).to.deep.equal([false, false, false, false]);
    const ids = fresh.map(({ order }) => order.id);
    expect(new Set([first.order.id, ...ids]).size, 'without a key every request is an order').to.equal(5);
    expect(await ordersOf(userId)).to.have.length(4);
    expect(await requestsFor(userId)).to.have.length(4);
  });

  it('makes one order of the same key twice in one batch', async () => {
    const wanted = request({ idempotencyKey: 'twice' });
    const [one, other] = (await creation.createOrders([wanted, { ...wanted }])).map(created);
    expect(one?.order.id).to.equal(other?.order.id);
    expect([one?.replayed, other?.replayed]).to.have.members([false, true]);
    expect(await ordersOf(wanted.userId)).to.have.length(1);
    expect(await requestsFor(wanted.userId)).to.have.length(1);
  });

  it('refuses one of two different requests under the same key in one batch', async () => {
    const wanted = request({ idempotencyKey: 'twice' });
    const results = await creation.createOrders([wanted, { ...wanted, amount: 1n }]);
    expect(results.filter((result) => result instanceof CodedError)).to.have.length(1);
    expect(await ordersOf(wanted.userId)).to.have.length(1);
  });

  it('makes one order of the same key 100 times at once, by two instances, and gives 100 equal answers', async () => {
    const wanted = request({ idempotencyKey: 'hundred' });
    const other = creationOn(databases.orders);
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, index) => (index % 2 === 0 ? creation : other).create(wanted)),
    );
    expect(answers.filter(({ replayed }) => !replayed)).to.have.length(1);
    for (const { order } of answers) expect(order).to.deep.equal(answers[0]?.order);
    expect(await ordersOf(wanted.userId)).to.have.length(1);
    expect(await requestsFor(wanted.userId)).to.have.length(1);
  });

  it('replays an order that is final as it was when it was created', async () => {
    const wanted = request({ idempotencyKey: 'final' });
    const { order } = await creation.create(wanted);
    await databases.sql(
      'orders',
      `update orders.orders set status = 'CANCELED', reason = 'INSUFFICIENT_FUNDS', settled_at = now() where id = $1`,
      [order.id],
    );
    expect(await creation.create(wanted)).to.deep.equal({ order, replayed: true });
  });

  it('refuses a key that was used for another order', async () => {
    const wanted = request({ idempotencyKey: 'other' });
    await creation.create(wanted);
    await refusal('idempotency-key-reused', () => creation.create({ ...wanted, amount: 1n }));
  });

  it('creates one order when the answer to the commit is lost', async () => {
    let inserts = 0;
    const database = withBadLink(async (statement, run) => {
      const rows = await run();
      if (statement.name !== 'orders_insert') return rows;
      inserts += 1;
      if (inserts === 1) throw lostAnswer();
      return rows;
    });
    const wanted = request();
    const { order, replayed } = await creationOn(database).create(wanted);
    expect(inserts).to.equal(2);
    expect(replayed).to.equal(false);
    expect(await ordersOf(wanted.userId)).to.deep.equal([{ id: order.id, status: 'NEW', amount: '4990' }]);
    expect(await requestsFor(wanted.userId)).to.have.length(1);
  });

  it('does not take an order without a key for one under the key "null" when an answer is lost', async () => {
    const userId = `user-${randomUUID()}`;
    const { order: earlier } = await creation.create(request({ userId, idempotencyKey: 'null' }));
    let inserts = 0;
    const database = withBadLink(async (statement, run) => {
      const rows = await run();
      inserts += statement.name === 'orders_insert' ? 1 : 0;
      if (inserts === 1) throw lostAnswer();
      return rows;
    });
    const batch = [request({ userId, amount: 1n }), request({ userId, idempotencyKey: 'null' })];
    const results = await creationOn(database).createOrders(batch);
    expect(created(results[1])).to.deep.equal({ order: earlier, replayed: true });
    expect(created(results[0]).order.amount).to.equal(1n);
  });

  it('tells who has an order and who cannot know when the database goes away between insert and look-up', async () => {
    const database = withBadLink((statement, run) => {
      if (statement.name === 'orders_insert') return run();
      throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    });
    const userId = `user-${randomUUID()}`;
    await creation.create(request({ userId, idempotencyKey: 'known' }));
    const [fresh, replayed] = await creationOn(database).createOrders([
      request({ userId }),
      request({ userId, idempotencyKey: 'known' }),
    ]);
    expect(created(fresh).order.status).to.equal('NEW');
    expect(replayed).to.have.property('code', 'outcome-unknown');
  });

  it('says that the outcome is unknown, not that the database is away, when it may have taken effect', async () => {
    let inserts = 0;
    const database = withBadLink(async (_statement, run) => {
      inserts += 1;
      if (inserts > 1) throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
      await run();
      throw lostAnswer();
    });
    const wanted = request({ idempotencyKey: 'unknown' });
    const error = await creationOn(database)
      .create(wanted)
      .catch((reason) => reason);
    expect(error).to.have.property('code', 'ECONNRESET');
    const again = await creation.create(wanted);
    expect(again.replayed).to.equal(true);
    expect(await ordersOf(wanted.userId)).to.have.length(1);
  });

  it('stores nothing of a batch whose statement fails', async () => {
    const good = request();
    const error = await creation
      .createOrders([good, request({ userId: 'not a user' })])
      .catch((reason) => reason);
    expect(error).to.have.property('code', '23514'); // check_violation
    expect(await ordersOf(good.userId)).to.deep.equal([]);
    expect(await requestsFor(good.userId)).to.deep.equal([]);
  });
});
