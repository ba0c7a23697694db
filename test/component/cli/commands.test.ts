import { expect } from 'chai';
import {
  type Answer,
  canceled,
  cut,
  events,
  type FakeGateway,
  finished,
  json,
  orderView,
  problem,
  startFakeGateway,
} from './fake-gateway.ts';
import { freshHome, runTillbox, startTillbox } from './run-tillbox.ts';

const id = orderView().id;

describe('a command of the client', () => {
  let gateway: FakeGateway | undefined;
  const home = freshHome();

  afterEach(async () => {
    await gateway?.stop();
    gateway = undefined;
  });
  after(() => home.remove());

  const run = async (answers: Answer[], ...words: string[]) => {
    gateway = await startFakeGateway(...answers);
    return runTillbox(words, { TILLBOX_URL: gateway.url, TILLBOX_HOME: home.home });
  };

  it('prints with --json the HTTP answer as one document and nothing else', async () => {
    const account = { user_id: 'alice', balance: '1.00', created_at: '2026-01-31T12:00:00.000Z' };
    const { code, stdout, stderr } = await run([json(200, account)], 'balance', 'alice', '--json');
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
    expect(stdout).to.equal(`${JSON.stringify(account)}\n`);
  });

  it('keeps text of others harmless on a terminal, in JSON at the same value', async () => {
    const order = orderView({ description: 'a\u001b[31m\u202eb\u009b\u200b' });
    const asText = await run([json(200, order)], 'order', id);
    expect(asText.stdout).to.contain('a\\u{1b}[31m\\u{202e}b\\u{9b}\\u{200b}');
    await gateway?.stop();
    const asJson = await run([json(200, order)], 'order', id, '--json');
    expect(asJson.stdout).to.match(/^[ -~]+\n$/);
    expect(JSON.parse(asJson.stdout)).to.deep.equal(order);
  });

  const codes = [
    [400, 'validation-failed', 2],
    [401, 'unauthorized', 4],
    [404, 'account-not-found', 5],
    [409, 'account-exists', 6],
    [422, 'idempotency-key-reused', 6],
    [500, 'internal', 1],
    [404, 'a-code-of-tomorrow', 5],
  ] as const;
  for (const [status, problemCode, exitCode] of codes) {
    it(`exits ${exitCode} for ${problemCode}, and prints the problem on stderr`, async () => {
      const { code, stdout, stderr } = await run([problem(status, problemCode)], 'topup', 'a', '1', '--json');
      expect({ code, stdout }).to.deep.equal({ code: exitCode, stdout: '' });
      const document = JSON.parse(stderr.trim().split('\n').at(-1) ?? '');
      expect(document).to.include({ code: problemCode, status, request_id: 'r1' });
    });
  }

  it('says so when something else answers, and exits 7', async () => {
    const page: Answer = (response) => void response.writeHead(200).end('<html>');
    const { code, stderr } = await run([page], 'balance', 'alice');
    expect(code).to.equal(7);
    expect(stderr).to.contain('not as tillbox does').and.to.contain('TILLBOX_URL');
  });

  it('asks nothing off a terminal: a missing argument is a usage error that names it', async () => {
    const { code, stdout, stderr } = await run([cut], 'topup', 'alice');
    expect({ code, stdout }).to.deep.equal({ code: 2, stdout: '' });
    expect(stderr).to.contain('AMOUNT is missing').and.to.contain('tillbox topup USER AMOUNT');
    expect(gateway?.requests).to.deep.equal([]);
  });

  for (const words of [
    ['topup', 'alice', '1e3'],
    ['topup', 'alice', '--', '-1'],
    ['topup', 'al ice', '1'],
    ['create-order', 'alice', '1', 'x'.repeat(501)],
    ['create-order', 'alice', '1', '--wait=soon'],
    ['orders', 'alice', '--limit', '0'],
    ['orders', 'alice', '--status', 'PAID'],
    ['order', '4711'],
    ['topup', 'alice', '1', '--idempotency-key', 'two words'],
    ['tpoup', 'alice', '1'],
    ['topup', 'alice', '1', '--jsno'],
    ['topup', 'alice', '1', '2'],
    ['create-order', 'alice', '--batch'],
    ['create-order', '--batch', '--in-flight', '0'],
    ['create-order', '--batch', '--idempotency-key', 'x'.repeat(250)],
  ]) {
    it(`refuses before anything is sent, with exit code 2: ${words.join(' ').slice(0, 60)}`, async () => {
      const { code, stdout, stderr } = await run([cut], ...words);
      expect({ code, stdout }).to.deep.equal({ code: 2, stdout: '' });
      expect(stderr).not.to.be.empty.and.not.to.match(/\n\s+at /);
      expect(gateway?.requests).to.deep.equal([]);
    });
  }

  for (const [words, sentence] of [
    [['serve', 'paymnts'], 'SERVICE must be one of gateway, orders, payments. It was "paymnts".'],
    [['status', '-o', 'xml'], '--output must be one of text, json, env. It was "xml".'],
  ] as const) {
    it(`says what it takes instead of ${words.join(' ')}`, async () => {
      const { code, stderr } = await run([cut], ...words);
      expect(code).to.equal(2);
      expect(stderr).to.contain(sentence);
    });
  }

  it('suggests what may have been meant', async () => {
    expect((await run([cut], 'tpoup')).stderr).to.contain('Did you mean topup?');
  });

  it('joins the words of a description; what follows a bare --wait is no value of it', async () => {
    const answers = [json(201, orderView()), events(orderView(finished))];
    const { code } = await run(
      answers,
      'create-order',
      '--wait',
      'alice',
      '10',
      'two',
      'cups',
      '--',
      '--json',
    );
    expect(code).to.equal(0);
    const [{ body } = { body: undefined }] = gateway?.requests ?? [];
    expect(body).to.deep.equal({ user_id: 'alice', amount: '10.00', description: 'two cups --json' });
  });

  it('sends the user ids "." and ".." as they are', async () => {
    await run([json(200, { balance: '0.00' })], 'balance', '..');
    expect(gateway?.requests[0]?.path).to.equal('/accounts/..');
  });

  describe('create-order --wait', () => {
    const wait = (answers: Answer[], seconds = 30) =>
      run(answers, 'create-order', 'alice', '10', `--wait=${seconds}`, '--json');

    it('exits 0 with a finished order', async () => {
      const { code, stdout } = await wait([json(201, orderView()), events(orderView(), orderView(finished))]);
      expect(code).to.equal(0);
      expect(JSON.parse(stdout)).to.deep.equal(orderView(finished));
    });

    it('exits 3 with a canceled order', async () => {
      const { code, stdout, stderr } = await wait([json(201, orderView()), events(orderView(canceled))]);
      expect({ code, stderr }).to.deep.equal({ code: 3, stderr: '' });
      expect(JSON.parse(stdout)).to.deep.equal(orderView(canceled));
    });

    it('exits 124 when the time is over, with the order as it is', async () => {
      const silent: Answer = (response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write(`data: ${JSON.stringify(orderView())}\n\n`);
      };
      const { code, stdout, stderr } = await wait([json(201, orderView()), silent], 1);
      expect(code).to.equal(124);
      expect(JSON.parse(stdout)).to.deep.equal(orderView());
      expect(JSON.parse(stderr)).to.include({ code: 'wait-timeout' });
      expect(JSON.parse(stderr).detail).to.contain(`tillbox trace ${orderView().id}`);
    });

    it('reads the order where the event stream breaks', async () => {
      const answers = [json(201, orderView()), events(orderView()), cut, json(200, orderView(finished))];
      const { code, stdout } = await wait(answers);
      expect(code).to.equal(0);
      expect(JSON.parse(stdout)).to.deep.equal(orderView(finished));
    });
  });

  describe('create-order --wait, once the order is there,', () => {
    it('waits for a gateway that goes away, and prints the order when the time is over', async () => {
      const leave: Answer = (response, ...rest) => {
        response.on('close', () => void gateway?.stop());
        response.setHeader('connection', 'close');
        json(201, orderView())(response, ...rest);
      };
      const { code, stdout, stderr } = await run([leave], 'create-order', 'alice', '10', '--wait=1');
      expect(code).to.equal(124);
      expect(stdout).to.contain(id).and.to.contain('NEW');
      expect(stderr).to.contain(`tillbox order ${id} --watch`);
    });
  });

  describe('order --watch', () => {
    it('prints each status once, a line each, and exits 0 for a canceled order too', async () => {
      const answers = [events(orderView(), orderView()), json(200, orderView()), events(orderView(canceled))];
      const { code, stdout } = await run(answers, 'order', id, '--watch', '--json');
      expect(code).to.equal(0);
      const lines = stdout.trimEnd().split('\n');
      expect(lines.map((line) => JSON.parse(line).status)).to.deep.equal(['NEW', 'CANCELED']);
    });

    it('exits 5 for an order that is not there', async () => {
      const { code } = await run([problem(404, 'order-not-found')], 'order', id, '--watch');
      expect(code).to.equal(5);
    });
  });

  describe('a list', () => {
    const page = (count: number, next: string | null): Answer =>
      json(200, { orders: Array.from({ length: count }, () => orderView()), next_cursor: next });

    it('is read page after page up to --limit', async () => {
      const words = ['orders', 'alice', '--status', 'new', '--limit', '600', '--json'];
      const { stdout } = await run([page(500, 'c1'), page(100, 'c2')], ...words);
      const { orders, next_cursor } = JSON.parse(stdout);
      expect({ length: orders.length, next_cursor }).to.deep.equal({ length: 600, next_cursor: 'c2' });
      expect(gateway?.requests.map(({ path }) => path)).to.deep.equal([
        '/orders?limit=500&user_id=alice&status=NEW',
        '/orders?limit=100&user_id=alice&status=NEW&cursor=c1',
      ]);
    });

    it('says on stderr that it is empty, and prints nothing', async () => {
      const { code, stdout, stderr } = await run([page(0, null)], 'orders', 'alice');
      expect({ code, stdout }).to.deep.equal({ code: 0, stdout: '' });
      expect(stderr).to.equal('User alice has no orders.\n');
    });

    it('ends quietly when its reader goes away', async () => {
      gateway = await startFakeGateway(page(500, 'more'));
      const environment = { TILLBOX_URL: gateway.url, TILLBOX_HOME: home.home };
      const { child, ended } = startTillbox(['orders', 'alice', '--limit', '5000'], environment);
      child.stdout.destroy();
      const { code, stderr } = await ended;
      expect(code).to.equal(0);
      expect(stderr).to.equal('There is more: --cursor more\n');
    });
  });
});
