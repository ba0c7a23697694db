import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import {
  type Answer,
  cut,
  type FakeGateway,
  json,
  orderView,
  problem,
  startFakeGateway,
} from './fake-gateway.ts';
import { freshHome, runTillbox, startTillbox } from './run-tillbox.ts';

describe('a write on the command line', () => {
  let gateway: FakeGateway | undefined;
  let home: ReturnType<typeof freshHome>;

  beforeEach(() => {
    home = freshHome();
  });
  afterEach(async () => {
    await gateway?.stop();
    gateway = undefined;
    home.remove();
  });

  const pendingFolder = () => join(home.home, 'pending');
  const pending = () => (existsSync(pendingFolder()) ? readdirSync(pendingFolder()) : []);
  const run = async (answers: Answer[], ...words: string[]) => {
    gateway = await startFakeGateway(...answers);
    return runTillbox(words, { TILLBOX_URL: gateway.url, TILLBOX_HOME: home.home });
  };

  it('is retried with the same key after a 503, or when it did not arrive in time', async () => {
    const answers = [problem(503, 'unavailable'), problem(408, 'request-timeout'), json(201, orderView())];
    const { code, stdout } = await run(answers, 'create-order', 'alice', '10', '--json');
    expect(code).to.equal(0);
    expect(JSON.parse(stdout)).to.deep.equal(orderView());
    const [first, second, third] = gateway?.requests ?? [];
    expect(gateway?.requests).to.have.length(3);
    expect(first?.key).to.match(/^[0-9a-f-]{36}$/);
    expect(second).to.deep.equal(first);
    expect(third).to.deep.equal(first);
    expect(pending()).to.deep.equal([]);
  });

  it('is retried with the same key after the connection was cut behind the request', async () => {
    const { code } = await run([cut, json(201, orderView())], 'create-order', 'alice', '10');
    expect(code).to.equal(0);
    const [first, second] = gateway?.requests ?? [];
    expect(first?.key).to.be.a('string');
    expect(second).to.deep.equal(first);
  });

  it('is written down before it is sent, for nobody else to read', async () => {
    let entry: Record<string, unknown> = {};
    let mode = 0;
    const look: Answer = (response, request, requests) => {
      const path = join(pendingFolder(), `${request.key}.json`);
      entry = JSON.parse(readFileSync(path, 'utf8'));
      mode = statSync(path).mode & 0o777;
      json(201, orderView())(response, request, requests);
    };
    const { code } = await run([look], 'create-order', 'alice', '10', 'tea');
    expect(code).to.equal(0);
    expect(entry).to.include({ path: '/orders', idempotency_key: gateway?.requests[0]?.key });
    expect(entry['body']).to.deep.equal({ user_id: 'alice', amount: '10.00', description: 'tea' });
    expect(mode).to.equal(0o600);
    expect(statSync(pendingFolder()).mode & 0o777).to.equal(0o700);
    expect(pending()).to.deep.equal([]);
  });

  it('with an outcome nobody knows keeps its key, says it, and exits 7', async () => {
    const { code, stdout, stderr } = await run([problem(503, 'outcome-unknown')], 'topup', 'alice', '10');
    expect(code).to.equal(7);
    expect(stdout).to.equal('');
    const [request] = gateway?.requests ?? [];
    expect(gateway?.requests).to.have.length(5);
    expect(stderr).to.contain(`Repeat with --idempotency-key ${request?.key}: it creates no second top-up.`);
    expect(pending()).to.deep.equal([`${request?.key}.json`]);
  });

  it('whose first try was lost is of unknown outcome, though the gateway is gone after it', async () => {
    const leave: Answer = (response) => {
      response.socket?.destroy();
      void gateway?.stop();
    };
    const { code, stderr } = await run([leave], 'create-order', 'alice', '10', '--json');
    expect(code).to.equal(7);
    expect(JSON.parse(stderr.trim().split('\n').at(-1) ?? '')).to.include({ code: 'outcome-unknown' });
    expect(pending()).to.have.length(1);
  });

  it('fails fast where no gateway is, says to run tillbox up, and leaves nothing behind', async () => {
    gateway = await startFakeGateway(cut);
    const { url } = gateway;
    await gateway.stop();
    const begunAt = performance.now();
    const { code, stderr } = await runTillbox(['topup', 'alice', '10'], {
      TILLBOX_URL: url,
      TILLBOX_HOME: home.home,
    });
    expect(code).to.equal(7);
    expect(stderr).to.contain('tillbox up');
    expect(performance.now() - begunAt).to.be.below(3_000);
    expect(pending()).to.deep.equal([]);
  });

  it('that was not heard when repeated keeps the record of the first time', async () => {
    mkdirSync(pendingFolder());
    writeFileSync(join(pendingFolder(), 'k1.json'), '{}');
    const { code } = await run(
      [problem(503, 'unavailable')],
      'topup',
      'alice',
      '1',
      '--idempotency-key',
      'k1',
    );
    expect(code).to.equal(7);
    expect(pending()).to.deep.equal(['k1.json']);
  });

  it('takes the key of the user, whatever is in it', async () => {
    const key = '../"k%1"';
    const { code } = await run(
      [json(201, orderView())],
      'create-order',
      'alice',
      '1',
      '--idempotency-key',
      key,
    );
    expect(code).to.equal(0);
    expect(gateway?.requests[0]?.key).to.equal(key);
    expect(readdirSync(home.home)).to.have.members(['pending', 'recent.json']);
  });

  it('interrupted says how to repeat it and exits 130', async () => {
    let heard = () => {};
    const sent = new Promise<void>((resolve) => {
      heard = resolve;
    });
    gateway = await startFakeGateway(() => heard());
    const { child, ended } = startTillbox(['create-order', 'alice', '10'], {
      TILLBOX_URL: gateway.url,
      TILLBOX_HOME: home.home,
    });
    await sent;
    child.kill('SIGINT');
    const { code, stderr } = await ended;
    expect(code).to.equal(130);
    const key = gateway.requests[0]?.key;
    expect(stderr).to.equal(`Repeat with --idempotency-key ${key}: it creates no second order.\n`);
    expect(pending()).to.deep.equal([`${key}.json`]);
  });

  it('like one whose outcome nobody knows is mentioned', async () => {
    const words = ['topup', 'alice', '10'];
    await run([problem(500, 'internal')], ...words);
    const key = gateway?.requests[0]?.key;
    await gateway?.stop();
    const view = { id: '1', amount: '10.00', balance: '10.00' };
    const { code, stderr } = await run([json(201, view)], ...words);
    expect(code).to.equal(0);
    expect(stderr).to.contain(`--idempotency-key ${key}`);
  });

  it('goes on without a record where TILLBOX_HOME cannot be written', async () => {
    gateway = await startFakeGateway(json(201, orderView()));
    const file = join(home.home, 'file');
    writeFileSync(file, '');
    chmodSync(file, 0o400);
    const { code, stderr } = await runTillbox(['create-order', 'alice', '10'], {
      TILLBOX_URL: gateway.url,
      TILLBOX_HOME: file,
    });
    expect(code).to.equal(0);
    expect(stderr).to.match(/^The key of this request could not be written down under .*\n$/);
  });
});
