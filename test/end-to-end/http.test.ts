import { randomUUID } from 'node:crypto';
import { Validator } from '@seriousme/openapi-schema-validator';
import { expect } from 'chai';
import { eventually } from '../support/eventually.ts';
import { useSystem } from '../support/running-system.ts';

interface Order {
  id: string;
  user_id: string;
  amount: string;
  description: string;
  status: string;
  reason: string | null;
  created_at: string;
  settled_at: string | null;
}
interface OrderPage {
  orders: Order[];
  next_cursor: string | null;
}
interface Entry {
  seq: number;
  kind: string;
  amount: string;
  balance: string;
  topup_id: string | null;
  order_id: string | null;
}
interface EntryPage {
  entries: Entry[];
  next_cursor: string | null;
}
interface Problem {
  type: string;
  title: string;
  status: number;
  code: string;
  detail: string;
  request_id: string;
}

const isoTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** What of an operation of OpenAPI is looked at. */
interface Operation {
  operationId: string;
  security?: object[];
  responses: Record<string, object>;
}

describe('HTTP', () => {
  const system = useSystem();

  /** A user with an account; with money in it unless the amount is empty. */
  async function newUser(balance = ''): Promise<string> {
    const userId = `user-${randomUUID()}`;
    await system.post('/accounts', { user_id: userId });
    if (balance !== '') await system.post(`/accounts/${userId}/topups`, { amount: balance });
    return userId;
  }

  async function createOrder(userId: string, amount: string, headers: Record<string, string> = {}) {
    const answer = await system.post<Order>('/orders', { user_id: userId, amount }, headers);
    expect(answer.status).to.equal(201);
    return answer.body;
  }

  async function readOrder(id: string): Promise<Order> {
    return (await system.get<Order>(`/orders/${id}`)).body;
  }

  function untilFinal(id: string): Promise<Order> {
    return eventually(async () => {
      const order = await readOrder(id);
      expect(order.status).not.to.equal('NEW');
      return order;
    });
  }

  async function balanceOf(userId: string): Promise<string> {
    return (await system.get<{ balance: string }>(`/accounts/${userId}`)).body.balance;
  }

  /** While payments are stopped an order stays NEW. */
  async function whilePaymentsAreStopped(work: () => Promise<void>): Promise<void> {
    const [payments] = system.runtime.payments;
    process.kill(payments?.pid as number, 'SIGSTOP');
    try {
      await work();
    } finally {
      process.kill(payments?.pid as number, 'SIGCONT');
    }
  }

  function expectProblem(
    answer: { status: number; headers: Headers; body: Problem },
    status: number,
    code: string,
  ) {
    expect(answer.body).to.include({ status, code, type: `urn:tillbox:problem:${code}` });
    expect(answer.status).to.equal(status);
    expect(answer.headers.get('content-type')).to.equal('application/problem+json');
    expect(answer.body.title).to.be.a('string').that.is.not.empty;
    expect(answer.body.detail).to.be.a('string').that.is.not.empty;
    expect(answer.body.request_id).to.equal(answer.headers.get('x-request-id'));
  }

  describe('accounts', () => {
    it('creates the account of a user, empty, and says where it is', async () => {
      const userId = `A.z_0@x:y-${randomUUID().slice(0, 8)}`;
      const { status, headers, body } = await system.post<Record<string, string>>('/accounts', {
        user_id: userId,
      });
      expect(status).to.equal(201);
      expect(headers.get('location')).to.equal(`/accounts/${userId}`);
      expect(headers.get('idempotent-replayed')).to.equal(null);
      expect(body).to.have.all.keys('user_id', 'balance', 'created_at');
      expect(body).to.include({ user_id: userId, balance: '0.00' });
      expect(body['created_at']).to.match(isoTime);
      const read = await system.get(`/accounts/${userId}`);
      expect(read.status).to.equal(200);
      expect(read.body).to.deep.equal(body);
    });

    it('refuses a second account of a user', async () => {
      const userId = await newUser();
      expectProblem(await system.post('/accounts', { user_id: userId }), 409, 'account-exists');
      const key = { 'idempotency-key': randomUUID() };
      expectProblem(await system.post('/accounts', { user_id: userId }, key), 409, 'account-exists');
    });

    it('replays the first answer when an account is created again with the same key', async () => {
      const userId = `user-${randomUUID()}`;
      const key = { 'idempotency-key': randomUUID() };
      const first = await system.post('/accounts', { user_id: userId }, key);
      await system.post(`/accounts/${userId}/topups`, { amount: '5.00' });
      const second = await system.post('/accounts', { user_id: userId }, key);
      expect(second.status).to.equal(201);
      expect(second.body).to.deep.equal(first.body);
      expect(second.headers.get('idempotent-replayed')).to.equal('true');
    });

    it('has no account of a user nobody created', async () => {
      const path = `/accounts/nobody-${randomUUID()}`;
      expectProblem(await system.get(path), 404, 'account-not-found');
      expectProblem(await system.get(`${path}/entries`), 404, 'account-not-found');
      expectProblem(await system.post(`${path}/topups`, { amount: '1' }), 404, 'account-not-found');
    });

    it('tops up amounts in every form they may have', async () => {
      const userId = await newUser();
      const amounts = ['0.01', 49.9, 100, '1000000000.00', 1e9, '7'];
      const balances: unknown[] = [];
      for (const amount of amounts) {
        const { status, body } = await system.post<Record<string, string>>(`/accounts/${userId}/topups`, {
          amount,
        });
        expect(status).to.equal(201);
        expect(body).to.have.all.keys('id', 'user_id', 'amount', 'balance', 'created_at');
        expect(body['id']).to.match(uuid);
        balances.push(`${body['amount']} ${body['balance']}`);
      }
      expect(balances).to.deep.equal([
        '0.01 0.01',
        '49.90 49.91',
        '100.00 149.91',
        '1000000000.00 1000000149.91',
        '1000000000.00 2000000149.91',
        '7.00 2000000156.91',
      ]);
      expect(await balanceOf(userId)).to.equal('2000000156.91');
    });

    it('replays a top-up with the same key, and refuses another one under it', async () => {
      const userId = await newUser();
      const path = `/accounts/${userId}/topups`;
      const key = { 'idempotency-key': randomUUID() };
      const first = await system.post(path, { amount: '5.00' }, key);
      await system.post(path, { amount: '1.00' });
      const second = await system.post(path, { amount: 5 }, key);
      expect(second.status).to.equal(201);
      expect(second.headers.get('idempotent-replayed')).to.equal('true');
      expect(second.body).to.deep.equal(first.body);
      expectProblem(await system.post(path, { amount: '5.01' }, key), 422, 'idempotency-key-reused');
      expect(await balanceOf(userId)).to.equal('6.00');
    });

    it('pages through the entries of an account, newest first, each with the balance after it', async () => {
      const userId = await newUser('100.00');
      const order = await createOrder(userId, '30.00', { prefer: 'wait=10' });
      for (const amount of ['1.00', '2.00', '3.00'])
        await system.post(`/accounts/${userId}/topups`, { amount });
      const entries: Entry[] = [];
      const sizes: number[] = [];
      for (let cursor: string | null = ''; cursor !== null; ) {
        const { status, body }: { status: number; body: EntryPage } = await system.get<EntryPage>(
          `/accounts/${userId}/entries?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`,
        );
        expect(status).to.equal(200);
        expect(body).to.have.all.keys('entries', 'next_cursor');
        entries.push(...body.entries);
        sizes.push(body.entries.length);
        cursor = body.next_cursor;
      }
      expect(sizes).to.deep.equal([2, 2, 1]);
      expect(
        entries.map(({ seq, kind, amount, balance }) => `${seq} ${kind} ${amount} ${balance}`),
      ).to.deep.equal([
        '5 topup 3.00 76.00',
        '4 topup 2.00 73.00',
        '3 topup 1.00 71.00',
        '2 order -30.00 70.00',
        '1 topup 100.00 100.00',
      ]);
      expect(entries[3]).to.include({ order_id: order.id, topup_id: null });
      expect(entries[4]?.topup_id).to.match(uuid);
      const whole = await system.get<EntryPage>(`/accounts/${userId}/entries`);
      expect(whole.body).to.deep.equal({ entries, next_cursor: null });
    });
  });

  describe('orders', () => {
    it('takes an order as NEW, says where it is, and finishes it', async () => {
      const userId = await newUser('50.00');
      const description = 'two tickets — "Ночь", 🎟';
      const { status, headers, body } = await system.post<Order>('/orders', {
        user_id: userId,
        amount: 49.9,
        description,
      });
      expect(status).to.equal(201);
      expect(headers.get('location')).to.equal(`/orders/${body.id}`);
      expect(headers.get('preference-applied')).to.equal(null);
      expect(body).to.deep.equal({
        id: body.id,
        user_id: userId,
        amount: '49.90',
        description,
        status: 'NEW',
        reason: null,
        created_at: body.created_at,
        settled_at: null,
      });
      expect(body.id).to.match(uuid);
      expect(body.created_at).to.match(isoTime);
      const final = await untilFinal(body.id);
      expect(final).to.deep.equal({ ...body, status: 'FINISHED', settled_at: final.settled_at });
      expect(final.settled_at).to.match(isoTime);
      expect(await balanceOf(userId)).to.equal('0.10');
    });

    it('cancels an order for want of money, and one for want of an account, and says why', async () => {
      const poor = await newUser('49.89');
      const unpaid = await untilFinal((await createOrder(poor, '49.90')).id);
      expect(unpaid).to.include({ status: 'CANCELED', reason: 'INSUFFICIENT_FUNDS', description: '' });
      expect(unpaid.settled_at).to.match(isoTime);
      expect(await balanceOf(poor)).to.equal('49.89');
      const unknown = await untilFinal((await createOrder(`nobody-${randomUUID()}`, '1')).id);
      expect(unknown).to.include({ status: 'CANCELED', reason: 'ACCOUNT_NOT_FOUND' });
    });

    it('has no order that nobody created', async () => {
      expectProblem(await system.get(`/orders/${randomUUID()}`), 404, 'order-not-found');
      expectProblem(await system.get(`/orders/${randomUUID()}/events`), 404, 'order-not-found');
    });

    it('finds an order by its id in upper case too', async () => {
      const { id } = await createOrder('anybody', '1');
      const { status, body } = await system.get<Order>(`/orders/${id.toUpperCase()}`);
      expect(status).to.equal(200);
      expect(body.id).to.equal(id);
    });

    it('replays the first answer to the same key, also when the order is final by then', async () => {
      const key = { 'idempotency-key': `!${randomUUID()}~` };
      const request = { user_id: await newUser('10'), amount: '5', description: 'once' };
      const first = await system.post<Order>('/orders', request, key);
      await untilFinal(first.body.id);
      const second = await system.post<Order>('/orders', { ...request, amount: 5.0 }, key);
      expect(second.status).to.equal(201);
      expect(second.headers.get('idempotent-replayed')).to.equal('true');
      expect(second.headers.get('location')).to.equal(`/orders/${first.body.id}`);
      expect(second.body).to.deep.equal(first.body);
      for (const other of [{ amount: '5.01' }, { description: 'twice' }]) {
        const refused = await system.post<Problem>('/orders', { ...request, ...other }, key);
        expectProblem(refused, 422, 'idempotency-key-reused');
      }
      expect(await balanceOf(request.user_id)).to.equal('5.00');
    });

    it('takes keys of up to 255 characters, each for one user', async () => {
      const key = { 'idempotency-key': 'k'.repeat(255) };
      const ids = await Promise.all(
        ['one', 'two'].map(async (user) => (await createOrder(user, '1', key)).id),
      );
      expect(new Set(ids).size).to.equal(2);
    });
  });

  describe('waiting for the end', () => {
    it('answers once the order is final when asked to wait', async () => {
      const userId = await newUser('1.00');
      const body = { user_id: userId, amount: '1.00' };
      const {
        status,
        headers,
        body: order,
      } = await system.post<Order>('/orders', body, { prefer: 'wait=20' });
      expect(status).to.equal(201);
      expect(headers.get('preference-applied')).to.equal('wait=20');
      expect(order.status).to.equal('FINISHED');
      expect(order.settled_at).to.match(isoTime);
    });

    it('answers with what there is when the time has passed, and waits for 60 s at most', async () => {
      await whilePaymentsAreStopped(async () => {
        const started = performance.now();
        const body = { user_id: 'anybody', amount: '1.00' };
        const { headers, body: order } = await system.post<Order>('/orders', body, { prefer: 'wait=1' });
        expect(performance.now() - started).to.be.greaterThan(990);
        expect(headers.get('preference-applied')).to.equal('wait=1');
        expect(order.status).to.equal('NEW');
      });
      const long = await system.post('/orders', { user_id: 'anybody', amount: 1 }, { prefer: 'wait=9999' });
      expect(long.headers.get('preference-applied')).to.equal('wait=60');
    });

    it('ignores a preference it does not know', async () => {
      for (const prefer of ['respond-async', 'wait', 'wait=x', 'wait=-1', 'await=5']) {
        const { status, headers } = await system.post(
          '/orders',
          { user_id: 'anybody', amount: 1 },
          { prefer },
        );
        expect(status).to.equal(201);
        expect(headers.get('preference-applied')).to.equal(null);
      }
    });

    it('sends an event for the status now and one for the final status, and then ends', async () => {
      const userId = await newUser('5.00');
      await whilePaymentsAreStopped(async () => {
        const order = await createOrder(userId, '5.00');
        const stream = await fetch(`${system.url}/orders/${order.id}/events`);
        expect(stream.status).to.equal(200);
        expect(stream.headers.get('content-type')).to.equal('text/event-stream');
        expect(stream.headers.get('cache-control')).to.equal('no-store');
        const reader = stream.body?.pipeThrough(new TextDecoderStream()).getReader();
        const first = await reader?.read();
        expect(eventsIn(first?.value ?? '')).to.deep.equal([{ event: 'status', id: 'NEW', data: order }]);
        process.kill(system.runtime.payments[0]?.pid as number, 'SIGCONT');
        let rest = '';
        for (let part = await reader?.read(); part?.done === false; part = await reader?.read())
          rest += part.value;
        const final = await readOrder(order.id);
        expect(final.status).to.equal('FINISHED');
        expect(eventsIn(rest)).to.deep.equal([{ event: 'status', id: 'FINISHED', data: final }]);
      });
    });

    it('sends one event for an order that is final, and ends', async () => {
      const order = await createOrder(`nobody-${randomUUID()}`, '5.00', { prefer: 'wait=20' });
      const text = await (await fetch(`${system.url}/orders/${order.id}/events`)).text();
      expect(eventsIn(text)).to.deep.equal([{ event: 'status', id: 'CANCELED', data: order }]);
    });

    it('sends an event for each step as well, with steps=true', async () => {
      const userId = await newUser('5.00');
      let text = '';
      const order = await createOrder(userId, '5.00');
      await whilePaymentsAreStopped(async () => {
        const late = await createOrder(userId, '5.00');
        const { body } = await fetch(`${system.url}/orders/${late.id}/events?steps=true`);
        const reader = body?.pipeThrough(new TextDecoderStream()).getReader();
        while (!text.includes('"published"')) text += (await reader?.read())?.value;
        process.kill(system.runtime.payments[0]?.pid as number, 'SIGCONT');
        for (let part = await reader?.read(); part?.done === false; part = await reader?.read())
          text += part.value;
        const final = await readOrder(late.id);
        const [created, status, published, settled, last] = eventsIn(text) as { data: { at: string } }[];
        expect(created).to.deep.equal({ event: 'step', data: { step: 'created', at: late.created_at } });
        expect(status).to.deep.equal({ event: 'status', id: 'NEW', data: late });
        expect(published?.data).to.have.property('step', 'published');
        expect(Date.parse(published?.data.at ?? '')).to.be.at.least(Date.parse(late.created_at));
        expect(settled).to.deep.equal({ event: 'step', data: { step: 'settled', at: final.settled_at } });
        expect(last).to.deep.equal({ event: 'status', id: final.status, data: final });
      });
      await untilFinal(order.id);
      const again = eventsIn(
        await (await fetch(`${system.url}/orders/${order.id}/events?steps=true`)).text(),
      );
      expect(again.map((event) => (event as { data: { step?: string } }).data.step)).to.deep.equal([
        ...['created', 'published', 'settled'],
        undefined,
      ]);
    });

    it('shows how far a payment has come', async () => {
      const userId = await newUser('5.00');
      const path = (id: string) => `/payments/${id}`;
      await whilePaymentsAreStopped(async () => {
        const { id } = await createOrder(userId, '5.00');
        process.kill(system.runtime.payments[0]?.pid as number, 'SIGCONT');
        await untilFinal(id);
        // The result may be settled before the transaction that published it has ended.
        const { body } = await eventually(async () => {
          const answer = await system.get<Record<string, string>>(path(id));
          expect(answer.body).to.deep.include({ published: true });
          return answer;
        });
        expect(body).to.deep.include({ order_id: id, outcome: 'paid', reason: null });
        expect(Date.parse(body['received_at'] ?? '')).to.be.at.most(Date.parse(body['decided_at'] ?? ''));
      });
      const poor = await createOrder(userId, '5.00', { prefer: 'wait=20' });
      const failed = { outcome: 'failed', reason: 'INSUFFICIENT_FUNDS' };
      expect((await system.get<object>(path(poor.id))).body).to.deep.include(failed);
      expectProblem(await system.get(path(randomUUID())), 404, 'payment-not-found');
      expectProblem(await system.get(path('4711')), 400, 'validation-failed');
    });

    it('answers others at once while 200 clients watch', async () => {
      await whilePaymentsAreStopped(async () => {
        const { id } = await createOrder('anybody', '1');
        const watch = async () => {
          const { body } = await fetch(`${system.url}/orders/${id}/events`);
          const reader = body?.getReader();
          await reader?.read();
          return reader;
        };
        const watchers = await Promise.all(Array.from({ length: 200 }, watch));
        expect((await system.get(`/orders/${id}`)).status).to.equal(200);
        await Promise.all(watchers.map((reader) => reader?.cancel()));
      });
    });
  });

  describe('lists of orders', () => {
    const userId = `lister-${randomUUID()}`;
    let created: Order[];

    before(async () => {
      await system.post('/accounts', { user_id: userId });
      await system.post(`/accounts/${userId}/topups`, { amount: '70.00' });
      const requests = Array.from({ length: 120 }, () => createOrder(userId, '1.00', { prefer: 'wait=20' }));
      created = await Promise.all(requests);
      await createOrder('somebody-else', '1.00');
    });

    async function pages(query: string): Promise<{ orders: Order[]; sizes: number[] }> {
      const orders: Order[] = [];
      const sizes: number[] = [];
      for (let cursor: string | null = ''; cursor !== null; ) {
        const path: string = `/orders?user_id=${userId}${query}${cursor === '' ? '' : `&cursor=${cursor}`}`;
        const { status, body }: { status: number; body: OrderPage } = await system.get<OrderPage>(path);
        expect(status).to.equal(200);
        expect(body).to.have.all.keys('orders', 'next_cursor');
        orders.push(...body.orders);
        sizes.push(body.orders.length);
        cursor = body.next_cursor;
      }
      return { orders, sizes };
    }

    function expectNewestFirst(orders: Order[]) {
      const times = orders.map(({ created_at }) => created_at);
      expect(times).to.deep.equal(times.toSorted().reverse());
    }

    it('lists each order of the user exactly once, newest first, 50 a page', async () => {
      const { orders, sizes } = await pages('');
      expect(sizes).to.deep.equal([50, 50, 20]);
      const byId = (list: Order[]) => list.toSorted((one, other) => (one.id < other.id ? -1 : 1));
      expect(byId(orders)).to.deep.equal(byId(created));
      expectNewestFirst(orders);
    });

    it('lists those of one status in pages of any size', async () => {
      for (const [status, count] of [
        ['FINISHED', 70],
        ['CANCELED', 50],
        ['NEW', 0],
      ] as const) {
        const { orders } = await pages(`&status=${status}&limit=7`);
        const expected = created.filter((order) => order.status === status).map(({ id }) => id);
        expect(expected).to.have.length(count);
        expect(orders.map(({ id }) => id))
          .to.have.members(expected)
          .and.have.length(count);
        expectNewestFirst(orders);
      }
    });

    it('ends a list without a cursor when a page is exactly full', async () => {
      expect((await pages('&limit=60')).sizes).to.deep.equal([60, 60]);
      expect((await pages('&limit=1&status=FINISHED')).sizes).to.have.length(70);
      expect((await pages('&limit=500')).sizes).to.deep.equal([120]);
    });

    it('goes on where it was although newer orders come', async () => {
      const { body } = await system.get<OrderPage>(`/orders?user_id=${userId}&limit=100`);
      const late = await createOrder(userId, '1.00', { prefer: 'wait=20' });
      const rest = await system.get<OrderPage>(
        `/orders?user_id=${userId}&limit=100&cursor=${body.next_cursor}`,
      );
      expect(rest.body.orders).to.have.length(20);
      expect(rest.body.next_cursor).to.equal(null);
      const newest = await system.get<OrderPage>(`/orders?user_id=${userId}&limit=1`);
      expect(newest.body.orders).to.deep.equal([late]);
    });

    it('has an empty list for a user without orders', async () => {
      const { status, body } = await system.get(`/orders?user_id=nobody-${randomUUID()}`);
      expect(status).to.equal(200);
      expect(body).to.deep.equal({ orders: [], next_cursor: null });
    });
  });

  describe('the rest', () => {
    const paths = {
      '/accounts': 'POST',
      '/accounts/alice': 'GET, HEAD',
      '/accounts/alice/topups': 'POST',
      '/accounts/alice/entries': 'GET, HEAD',
      '/orders': 'POST, GET, HEAD',
      [`/orders/${randomUUID()}`]: 'GET, HEAD',
      [`/orders/${randomUUID()}/events`]: 'GET, HEAD',
      [`/payments/${randomUUID()}`]: 'GET, HEAD',
      '/livez': 'GET, HEAD',
      '/readyz': 'GET, HEAD',
      '/openapi.json': 'GET, HEAD',
      '/docs': 'GET, HEAD',
    };

    it('answers HEAD as GET, without a body', async () => {
      const userId = await newUser();
      const order = await createOrder(userId, '1', { prefer: 'wait=20' });
      const missing = `/orders/${randomUUID()}`;
      const found = [
        '/livez',
        '/readyz',
        '/docs',
        '/openapi.json',
        `/orders/${order.id}`,
        `/accounts/${userId}`,
      ];
      for (const path of [...found, `/orders?user_id=${userId}`, missing]) {
        const [get, head] = await Promise.all([
          fetch(system.url + path),
          fetch(system.url + path, { method: 'HEAD' }),
        ]);
        expect(head.status, path).to.equal(path === missing ? 404 : 200);
        expect(head.status).to.equal(get.status);
        expect(head.headers.get('content-type')).to.equal(get.headers.get('content-type'));
        expect(await head.text()).to.equal('');
      }
    });

    it('refuses methods a path does not take, and says which it does, whatever the body', async () => {
      for (const [path, allow] of Object.entries(paths)) {
        for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
          if (allow.split(', ').includes(method)) continue;
          const body = ['GET', 'HEAD'].includes(method) ? {} : { body: '<not json>' };
          const answer = await fetch(system.url + path, { method, ...body });
          expect(answer.status, `${method} ${path}`).to.equal(405);
          expect(answer.headers.get('allow')).to.equal(allow);
          const text = await answer.text();
          if (method !== 'HEAD')
            expect(JSON.parse(text)).to.include({ code: 'method-not-allowed', status: 405 });
        }
      }
    });

    it('says where the routes are to who asks for one there is not', async () => {
      for (const path of ['/', '/nowhere', '/orders/1/2/3', '/accounts/alice/', '/Orders', '//livez']) {
        const answer = await system.get<Problem>(path);
        expectProblem(answer, 404, 'route-not-found');
        expect(answer.body.detail).to.contain('/docs');
      }
    });

    it('keeps a request id that a client sends, and makes one otherwise', async () => {
      const id = `trace-${randomUUID()}`;
      const kept = await fetch(`${system.url}/orders/${randomUUID()}`, { headers: { 'x-request-id': id } });
      expect(kept.headers.get('x-request-id')).to.equal(id);
      expect(((await kept.json()) as Problem).request_id).to.equal(id);
      const made = await fetch(`${system.url}/nowhere`, { headers: { 'x-request-id': 'no good' } });
      expect(((await made.json()) as Problem).request_id).to.match(/^[0-9a-f-]{36}$/);
    });

    it('is alive and ready, with every instance', async () => {
      const alive = await system.get('/livez');
      expect(alive.status).to.equal(200);
      const { status, body } = await system.get('/readyz');
      const { gateway, orders, payments } = system.runtime;
      const withReady = (instances: { url: string; pid: number }[]) =>
        instances.map((instance) => ({ ...instance, ready: true }));
      expect(status).to.equal(200);
      expect(body).to.deep.equal({
        ready: true,
        service: 'gateway',
        pid: gateway.pid,
        orders: withReady(orders),
        payments: withReady(payments),
      });
    });

    it('describes every route in a valid OpenAPI 3.1 document', async () => {
      const { status, body } = await system.get<{ openapi: string; paths: Record<string, object> }>(
        '/openapi.json',
      );
      expect(status).to.equal(200);
      const validator = new Validator();
      const { valid, errors } = await validator.validate(structuredClone(body));
      expect(errors).to.equal(undefined);
      expect(valid).to.equal(true);
      expect(validator.version).to.equal('3.1');
      const operations = Object.entries(body.paths).flatMap(([path, methods]) =>
        Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
      );
      expect(operations).to.have.members([
        'POST /accounts',
        'GET /accounts/{user_id}',
        'POST /accounts/{user_id}/topups',
        'GET /accounts/{user_id}/entries',
        'POST /orders',
        'GET /orders',
        'GET /orders/{id}',
        'GET /orders/{id}/events',
        'GET /payments/{order_id}',
        'GET /',
        'GET /board/events',
        'GET /livez',
        'GET /readyz',
        'GET /openapi.json',
        'GET /docs',
      ]);
    });

    it('tells of each operation what its door can refuse it with', async () => {
      const { body } = await system.get<{ paths: Record<string, Record<string, Operation>> }>(
        '/openapi.json',
      );
      const operations = Object.entries(body.paths).flatMap(([path, methods]) =>
        Object.values(methods).map((operation) => ({ path, ...operation })),
      );
      const behindTheDoor = operations.filter(({ security }) => security !== undefined);
      expect(behindTheDoor).to.have.length(10);
      for (const { path, operationId, responses } of behindTheDoor) {
        const refusals = ['400', '401', '403', '408', '421', '429', '431', '500'];
        expect(responses, operationId).to.include.keys(refusals);
        // Only an id in the path can make it too long.
        expect('414' in responses, operationId).to.equal(path.includes('{'));
      }
    });

    it('tells what pages and health can be refused with, too', async () => {
      const { body } = await system.get<{ paths: Record<string, { get: Operation }> }>('/openapi.json');
      for (const path of ['/', '/docs', '/openapi.json']) {
        expect(body.paths[path]?.get.responses, path).to.have.keys([
          '200',
          '400',
          ...(path === '/' ? ['404'] : []),
          '408',
          '421',
          '429',
          '431',
          '500',
        ]);
      }
      for (const path of ['/livez', '/readyz']) {
        expect(body.paths[path]?.get.responses, path).to.have.keys([
          '200',
          '400',
          '408',
          '431',
          '500',
          '503',
        ]);
      }
    });

    it('has a page to read that needs nothing but itself', async () => {
      const answer = await fetch(`${system.url}/docs`);
      const page = await answer.text();
      expect(answer.headers.get('content-type')).to.equal('text/html; charset=utf-8');
      for (const path of ['/accounts/{user_id}/topups', '/orders/{id}/events', 'Idempotency-Key']) {
        expect(page.toLowerCase()).to.contain(path.toLowerCase());
      }
      expect(page).not.to.match(/<script|<link|<img|<iframe|@import|url\(|\bsrc\s*=/i);
      expect([...page.matchAll(/href="([^"]*)"/g)].map(([, target]) => target)).to.deep.equal([
        '/openapi.json',
      ]);
    });
  });
});

/** The server-sent events in a text, their data parsed; comments are left out. */
function eventsIn(text: string): object[] {
  const blocks = text.split('\n\n').filter((block) => block !== '' && !block.startsWith(':'));
  return blocks.map((block) => {
    const fields = block
      .split('\n')
      .map((line) => [line.slice(0, line.indexOf(': ')), line.slice(line.indexOf(': ') + 2)]);
    const { data, ...rest } = Object.fromEntries(fields);
    return { ...rest, data: JSON.parse(data) };
  });
}
