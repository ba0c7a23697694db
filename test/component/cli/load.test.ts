import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { eventually } from '../../support/eventually.ts';
import {
  type Answer,
  canceled,
  cut,
  type FakeGateway,
  finished,
  json,
  orderView,
  problem,
  startFakeGateway,
  startFakeGatewayAt,
} from './fake-gateway.ts';
import { freshHome, runTillbox, startTillbox } from './run-tillbox.ts';

/** A gateway that keeps orders, and settles each at once as it is told. */
class Shop {
  readonly orders = new Map<string, ReturnType<typeof orderView>>();
  /** What an order gets instead of being taken, try by try; undefined for no objection. */
  refuse: (key: string, tries: number) => Answer | undefined = () => undefined;
  settled: object = finished;
  readonly #tries = new Map<string, number>();

  readonly answer: Answer = (response, request, requests) => {
    const { method, path, key = '', body } = request;
    if (method === 'POST' && path !== '/orders')
      return json(201, { balance: '1.00' })(response, request, requests);
    if (method === 'POST') {
      const tries = (this.#tries.get(key) ?? 0) + 1;
      this.#tries.set(key, tries);
      const refusal = this.refuse(key, tries);
      if (refusal !== undefined) return refusal(response, request, requests);
      return json(201, this.keep(key, body as object))(response, request, requests);
    }
    const id = /^\/orders\/([0-9a-f-]{36})$/.exec(path)?.[1];
    const order = [...this.orders.values()].find((one) => one.id === id);
    if (order !== undefined) return json(200, order)(response, request, requests);
    const user = new URL(path, 'http://x').searchParams.get('user_id');
    const orders = [...this.orders.values()].filter(({ user_id }) => user_id === user);
    json(200, { orders, next_cursor: null })(response, request, requests);
  };

  keep(key: string, body: object) {
    const number = String(this.orders.size + 1).padStart(12, '0');
    const id = `0199f0a4-5f6b-7c3e-9d2a-${number}`;
    const order = this.orders.get(key) ?? orderView({ id, ...body, ...this.settled });
    this.orders.set(key, order);
    return order;
  }
}

describe('tillbox load', () => {
  const home = freshHome();
  let gateway: FakeGateway | undefined;
  let shop: Shop;

  beforeEach(() => {
    shop = new Shop();
  });
  afterEach(async () => {
    await gateway?.stop();
    gateway = undefined;
  });
  after(() => home.remove());

  const environment = (url: string) => ({ TILLBOX_URL: url, TILLBOX_HOME: home.home });

  async function load(...words: string[]) {
    gateway ??= await startFakeGateway(shop.answer);
    const ran = await runTillbox(['load', '--users', '3', ...words], environment(gateway.url));
    return { ...ran, report: ran.stdout.startsWith('{') ? JSON.parse(ran.stdout) : undefined };
  }

  const sentOrders = () =>
    (gateway?.requests ?? []).filter(({ method, path }) => method === 'POST' && path === '/orders');

  it('prints what the contract says, first and in its order', async () => {
    const { code, stderr, report } = await load('--orders', '40', '--json');
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
    expect(Object.keys(report).slice(0, 10)).to.deep.equal([
      'orders',
      'finished',
      'canceled',
      'errors',
      'seconds',
      'accepted_per_s',
      'settled_per_s',
      'accept_ms',
      'settle_ms',
      'audit',
    ]);
    expect(report).to.include({ orders: 40, finished: 40, canceled: 0, errors: 0, lost: 0, unsettled: 0 });
    expect(Object.keys(report.accept_ms)).to.deep.equal(['p50', 'p95', 'p99', 'max']);
    // As the fake gateway has it: settled after 20 ms.
    for (const ms of Object.values<number>(report.settle_ms)) expect(ms).to.be.closeTo(20, 0.1);
    expect(report).to.include({ settle_source: 'gateway', audit: null });
  });

  it('creates and funds users of its own, and gives every order a key of its own', async () => {
    await load('--orders', '20', '--overdraft', '50%');
    const posts = (gateway?.requests ?? []).filter(({ method }) => method === 'POST');
    const users = posts.filter(({ path }) => path === '/accounts');
    expect(users.length).to.equal(6);
    expect(posts.filter(({ path }) => path.endsWith('/topups')).length).to.equal(3);
    expect(new Set(posts.map(({ key }) => key)).size).to.equal(posts.length);
    const first = shop.orders.size;
    await load('--orders', '20');
    expect(shop.orders.size).to.equal(first + 20);
  });

  it('sends the same orders for the same seed', async () => {
    const amounts = () => sentOrders().map(({ body }) => (body as { amount: string }).amount);
    const words = ['--orders', '30', '--seed', '5', '--clients', '1', '--amount', '1..99'];
    await load(...words);
    const before = amounts();
    await load(...words);
    expect(new Set(before).size).to.be.greaterThan(10);
    expect(amounts().slice(30)).to.deep.equal(before);
  });

  it('tries again under the same key what was refused or got no answer, and loses and doubles nothing', async () => {
    shop.refuse = (key, tries) => {
      const number = Number(key.split('-').at(-1));
      if (tries > 2) return undefined;
      if (number % 5 === 0) return problem(408, 'request-timeout');
      if (number % 5 === 1) return problem(503, 'unavailable');
      if (number % 5 === 2) return cut;
      // Took effect, and the answer is lost.
      if (number % 5 !== 3) return undefined;
      return (response, request, requests) => {
        shop.keep(key, request.body as object);
        cut(response, request, requests);
      };
    };
    const { code, report } = await load('--orders', '25', '--json');
    expect(code).to.equal(0);
    expect(report).to.include({ orders: 25, finished: 25, errors: 0, lost: 0, doubled: 0, retries: 40 });
    expect(report.answers).to.deep.equal({ 201: 25, 408: 10, 503: 10, ECONNRESET: 20 });
    expect(new Set(sentOrders().map(({ key }) => key)).size).to.equal(25);
  });

  it('does not try again what is refused for good, and counts it', async () => {
    shop.refuse = () => problem(422, 'idempotency-key-reused');
    const { code, report } = await load('--orders', '5', '--json', '--threshold', 'errors<10%');
    expect(code).to.equal(8);
    expect(report).to.include({ orders: 5, errors: 5, retries: 0 });
    expect(report.thresholds).to.deep.equal([{ expression: 'errors<10%', ok: false, value: 1 }]);
  });

  it('goes on with a gateway that goes away and comes back', async () => {
    gateway = await startFakeGateway(shop.answer);
    const { ended } = startTillbox(
      ['load', '--users', '3', '--duration', '3s', '--clients', '4', '--rate', '100', '--json'],
      environment(gateway.url),
    );
    await eventually(() => expect(shop.orders.size).to.be.greaterThan(20), { withinMs: 20_000 });
    const port = Number(new URL(gateway.url).port);
    await gateway.stop();
    gateway = await startFakeGatewayAt(port, [shop.answer]);
    const { code, stdout } = await ended;
    const report = JSON.parse(stdout);
    expect(code).to.equal(0);
    expect(report).to.include({ errors: 0, lost: 0, doubled: 0 });
    expect(report.orders + report.unsent).to.equal(300);
  });

  it('measures an open loop from when an order was due, so that a stall is not hidden', async () => {
    // One client, and a gateway that holds the first order until all of the others are due.
    let held: (() => void) | undefined;
    shop.refuse = (key) => {
      if (!key.endsWith('-1')) return undefined;
      return (response, request, requests) => {
        held = () => json(201, shop.keep(key, request.body as object))(response, request, requests);
        setTimeout(() => held?.(), 500);
      };
    };
    const { report } = await load('--orders', '20', '--rate', '100', '--clients', '1', '--json');
    expect(report.orders).to.equal(20);
    // All were due within 200 ms and none left before 500: a closed loop would tell of one slow order.
    expect(report.accept_ms.p50).to.be.greaterThan(250);
  });

  it('waits for settlements, and exits 124 when they do not come', async () => {
    shop.settled = {};
    const { code, report } = await load('--orders', '5', '--drain', '1', '--json');
    expect(code).to.equal(124);
    expect(report).to.include({ unsettled: 5, drain_s: null, settled_per_s: null });
    expect((await load('--orders', '5', '--drain', '0')).code).to.equal(0);
  });

  it('tells people the same in words, with distributions, off a terminal without a moving line', async () => {
    shop.settled = canceled;
    const { code, stdout, stderr } = await load('--orders', '12', '--threshold', 'settle.p99<50ms');
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
    expect(stdout).to.match(/Outcomes +0 finished, 12 canceled, 0 errors/);
    expect(stdout)
      .to.contain('read at the gateway')
      .and.to.match(/kept +settle\.p99<50ms +20\.?/);
    expect(stdout)
      .to.match(/20 ms +12 +█+/)
      .and.not.to.contain('\u001b');
  });

  it('ends early at Ctrl-C, with what was done, and exits 130', async () => {
    gateway = await startFakeGateway(shop.answer);
    const { child, ended } = startTillbox(
      ['load', '--users', '3', '--duration', '1h', '--clients', '2', '--json'],
      environment(gateway.url),
    );
    await eventually(() => expect(shop.orders.size).to.be.greaterThan(5), { withinMs: 20_000 });
    child.kill('SIGINT');
    const { code, stdout } = await ended;
    expect(code).to.equal(130);
    const report = JSON.parse(stdout);
    expect(report).to.include({ interrupted: true, lost: 0, errors: 0 });
    expect(report.finished).to.equal(shop.orders.size);
  });

  it('writes a report that needs nothing else, and escapes what came from outside', async () => {
    shop.refuse = (key, tries) =>
      key.endsWith('-3') && tries === 1 ? problem(503, 'unavailable') : undefined;
    const file = join(home.home, 'report.html');
    const { code } = await load('--orders', '30', '--html', file, '--threshold', 'errors<1%');
    expect(code).to.equal(0);
    const html = readFileSync(file, 'utf8');
    expect(html)
      .to.contain('errors&lt;1%')
      .and.to.contain('<svg')
      .and.to.contain('prefers-color-scheme:dark');
    expect(html).not.to.match(/<script|https?:|@import|url\(|NaN|undefined|Infinity/);
  });

  it('exits 7 when there is no gateway, and when another server answers', async () => {
    const { code, stderr } = await runTillbox(['load'], environment('http://127.0.0.1:9'));
    expect(code).to.equal(7);
    expect(stderr)
      .to.contain('tillbox up')
      .and.not.to.match(/\n\s+at /);
    gateway = await startFakeGateway((response) => void response.writeHead(404).end('<html>'));
    const other = await load('--orders', '1');
    expect(other.code).to.equal(7);
    expect(other.stderr).to.contain('not as tillbox does');
  });

  for (const words of [
    ['--orders', '0'],
    ['--orders', 'many'],
    ['--duration', '10'.repeat(8)],
    ['--rate', '0'],
    ['--clients', '1001'],
    ['--users', '-1'],
    ['--hot', '1.5'],
    ['--overdraft', '101%'],
    ['--amount', '5..1'],
    ['--amount', '1e3'],
    ['--seed', 'x'],
    ['--drain', 'long'],
    ['--threshold', 'settle.p98<5ms'],
    ['--threshold', 'settle.p99'],
    ['--html', '/nonexistent/report.html'],
    ['extra'],
  ]) {
    it(`refuses before anything is sent, with exit code 2: ${words.join(' ')}`, async () => {
      const { code, stdout, stderr } = await load(...words);
      expect({ code, stdout }).to.deep.equal({ code: 2, stdout: '' });
      expect(stderr).not.to.be.empty.and.not.to.match(/\n\s+at /);
      expect(gateway?.requests).to.deep.equal([]);
    });
  }
});
