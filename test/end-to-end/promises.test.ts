import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { countDeadLetters, sqlBehind } from '../support/administrator.ts';
import { eventually } from '../support/eventually.ts';
import { type RunningSystem, useSystem } from '../support/running-system.ts';

interface Order {
  id: string;
  amount: string;
  status: string;
  reason: string | null;
}
interface OrderPage {
  orders: Order[];
  next_cursor: string | null;
}

/** Loops of "a top-up is seen by the order after it": the promise is meant for any number of them. */
const topUpLoops = Number(process.env['TILLBOX_TEST_LOOPS'] ?? 200);
/** Orders in flight while payments are killed. */
const ordersInFlight = Number(process.env['TILLBOX_TEST_ORDERS'] ?? 2_000);
const kills = Number(process.env['TILLBOX_TEST_KILLS'] ?? 4);
const killEveryMs = 2_000;
/** Everything is final so long after the last kill. */
const finalWithinMs = 30_000;

describe('promises, with two instances of each service', () => {
  const system = useSystem(['--instances', 'orders=2', 'payments=2']);

  /** Sends the same request so many times at once. */
  function atOnce(count: number, path: string, body: object, key = randomUUID()) {
    const send = () => system.post<Record<string, string>>(path, body, { 'idempotency-key': key });
    return Promise.all(Array.from({ length: count }, send));
  }

  function expectOneEffect(answers: Awaited<ReturnType<typeof atOnce>>) {
    for (const { status, body } of answers) {
      expect(status).to.equal(201);
      expect(body).to.deep.equal(answers[0]?.body);
    }
    const replayed = answers.filter(({ headers }) => headers.get('idempotent-replayed') === 'true');
    expect(replayed).to.have.length(answers.length - 1);
  }

  it('creates one order for a key that comes 100 times at once, and answers all the same', async () => {
    const userId = await newUser(system, '100.00');
    expectOneEffect(await atOnce(100, '/orders', { user_id: userId, amount: '10.00', description: 'once' }));
    await eventually(async () => expect(await balanceOf(system, userId)).to.equal('90.00'));
    expect(await ordersOf(system, userId)).to.have.length(1);
  });

  it('tops up once for a key that comes 100 times at once, and answers all the same', async () => {
    const userId = await newUser(system);
    expectOneEffect(await atOnce(100, `/accounts/${userId}/topups`, { amount: '10.00' }));
    expect(await balanceOf(system, userId)).to.equal('10.00');
  });

  it('creates one account for a key that comes 100 times at once, and answers all the same', async () => {
    expectOneEffect(await atOnce(100, '/accounts', { user_id: `user-${randomUUID()}` }));
  });

  it('creates one account for a user whom 50 clients bring at once', async () => {
    const body = { user_id: `user-${randomUUID()}` };
    const answers = await Promise.all(Array.from({ length: 50 }, () => system.post('/accounts', body)));
    const statuses = answers.map(({ status }) => status).toSorted();
    expect(statuses).to.deep.equal([201, ...Array(49).fill(409)]);
  });

  it('lets one of several different orders have a key, and refuses the others', async () => {
    const userId = await newUser(system, '100.00');
    const key = { 'idempotency-key': randomUUID() };
    const send = (amount: number) => system.post<Order>('/orders', { user_id: userId, amount }, key);
    const answers = await Promise.all(Array.from({ length: 60 }, (_, index) => send(1 + (index % 3))));
    const [order, ...others] = await ordersOf(system, userId);
    expect(others).to.deep.equal([]);
    const accepted = answers.filter(({ status }) => status === 201);
    expect(accepted).to.have.length(20);
    for (const { body } of accepted) expect(body).to.include({ id: order?.id, amount: order?.amount });
    const refused = answers.filter(({ status }) => status === 422);
    expect(refused).to.have.length(40);
  });

  it('pays ten of 50 concurrent orders of 100.00 out of 1000.00, ten times over', async () => {
    for (let round = 0; round < 10; round += 1) {
      const userId = await newUser(system, '1000.00');
      const order = { user_id: userId, amount: '100.00' };
      const send = () => system.post<Order>('/orders', order, { prefer: 'wait=20' });
      const answers = await Promise.all(Array.from({ length: 50 }, send));
      const ends = Map.groupBy(answers, ({ body }) => `${body.status} ${body.reason}`);
      expect([...ends].map(([end, same]) => `${same.length} ${end}`)).to.have.members([
        '10 FINISHED null',
        '40 CANCELED INSUFFICIENT_FUNDS',
      ]);
      expect(await balanceOf(system, userId)).to.equal('0.00');
    }
  });

  it(`sees a top-up in every order after it, in ${topUpLoops} loops`, async () => {
    const users = await Promise.all(Array.from({ length: 10 }, () => newUser(system)));
    await Promise.all(
      users.map(async (userId) => {
        for (let loop = 0; loop < topUpLoops / users.length; loop += 1) {
          const topup = await system.post(`/accounts/${userId}/topups`, { amount: '7.77' });
          expect(topup.status).to.equal(201);
          const order = { user_id: userId, amount: '7.77' };
          const { body } = await system.post<Order>('/orders', order, { prefer: 'wait=20' });
          expect(body.status, `loop ${loop} of ${userId}`).to.equal('FINISHED');
        }
        expect(await balanceOf(system, userId)).to.equal('0.00');
      }),
    );
  }).timeout(120_000);

  it('leaves no dead letters', async () => {
    expect(await countDeadLetters(system.runtime)).to.equal(0);
  });
});

describe('promises, while payments are killed', () => {
  const system = useSystem();

  it(`ends each of ${ordersInFlight} orders, and the money adds up`, async () => {
    const users = await Promise.all(Array.from({ length: 20 }, () => newUser(system, '100.00')));
    const ordersOfUser = ordersInFlight / users.length;
    // Two thirds of the orders can be paid.
    const amount = (100 / ordersOfUser) * 1.5;
    const order = { amount: amount.toFixed(2) };
    let lastKill = 0;
    for (let kill = 0; kill < kills; kill += 1) {
      const every = pause(killEveryMs);
      const requests = users.flatMap((user_id) =>
        Array.from({ length: ordersOfUser / kills }, () => ({ user_id, ...order })),
      );
      await atMost(100, requests, async (request, index) => {
        if (index === Math.floor(requests.length / 2)) lastKill = await killPayments();
        const { status, body } = await system.post<Order>('/orders', request);
        expect(status, JSON.stringify(body)).to.equal(201);
      });
      await every;
    }
    const countNew = async () => {
      const text = `select count(*) from orders.orders where status = 'NEW'`;
      return Number((await sqlBehind<{ count: string }>(system.runtime, 'orders', text))[0]?.count);
    };
    await eventually(async () => expect(await countNew()).to.equal(0), {
      withinMs: finalWithinMs,
      everyMs: 100,
    });
    const seconds = ((performance.now() - lastKill) / 1_000).toFixed(1);
    console.log(`      final ${seconds} s after the last kill`);

    let finishedOfAll = 0n;
    for (const userId of users) {
      const orders = await ordersOf(system, userId);
      expect(orders).to.have.length(ordersOfUser);
      const finished = orders.filter(({ status }) => status === 'FINISHED');
      const paid = finished.reduce((sum, { amount: text }) => sum + minorUnits(text), 0n);
      expect(paid).to.equal(100_00n - minorUnits(await balanceOf(system, userId)));
      expect(finished).to.have.length(Math.floor(100 / Number(order.amount)));
      finishedOfAll += paid;
    }
    const [sums] = await sqlBehind<Record<string, string>>(
      system.runtime,
      'payments',
      `select (select sum(amount) from payments.entries where topup_id is not null)
              - (select sum(balance) from payments.accounts) as paid,
              (select -sum(amount) from payments.entries where order_id is not null) as debited,
              (select count(*) from payments.entries where order_id is not null) as debits,
              (select count(distinct order_id) from payments.entries) as orders_debited,
              (select count(*) from payments.decisions) as decisions`,
    );
    const [ended] = await sqlBehind<Record<string, string>>(
      system.runtime,
      'orders',
      `select sum(amount) filter (where status = 'FINISHED') as paid,
              count(*) filter (where status = 'FINISHED') as finished from orders.orders`,
    );
    expect({ ...sums, ...ended }).to.deep.equal({
      paid: String(finishedOfAll),
      debited: String(finishedOfAll),
      debits: ended?.['finished'],
      orders_debited: ended?.['finished'],
      decisions: String(ordersInFlight),
      finished: ended?.['finished'],
    });
    expect(await countDeadLetters(system.runtime)).to.equal(0);
  }).timeout(120_000);

  /** Kills the payments process there is now, while orders come in; answers when. */
  async function killPayments(): Promise<number> {
    await eventually(() => process.kill(system.runtime.payments[0]?.pid as number, 'SIGKILL'));
    return performance.now();
  }
});

/** Does the work for every item, so many at once. */
async function atMost<Item>(
  width: number,
  items: readonly Item[],
  work: (item: Item, index: number) => Promise<void>,
): Promise<void> {
  const rest = items.entries();
  const worker = async () => {
    for (const [index, item] of rest) await work(item, index);
  };
  await Promise.all(Array.from({ length: width }, worker));
}

/** A user with an account; with money in it unless the amount is empty. */
async function newUser(system: RunningSystem, balance = ''): Promise<string> {
  const userId = `user-${randomUUID()}`;
  await system.post('/accounts', { user_id: userId });
  if (balance !== '') await system.post(`/accounts/${userId}/topups`, { amount: balance });
  return userId;
}

async function balanceOf(system: RunningSystem, userId: string): Promise<string> {
  return (await system.get<{ balance: string }>(`/accounts/${userId}`)).body.balance;
}

async function ordersOf(system: RunningSystem, userId: string): Promise<Order[]> {
  const orders: Order[] = [];
  for (let cursor = ''; ; ) {
    const { body } = await system.get<OrderPage>(`/orders?user_id=${userId}&limit=500${cursor}`);
    orders.push(...body.orders);
    if (body.next_cursor === null) return orders;
    cursor = `&cursor=${body.next_cursor}`;
  }
}

function minorUnits(amount: string): bigint {
  return BigInt(amount.replace('.', ''));
}
