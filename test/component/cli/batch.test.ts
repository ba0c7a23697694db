import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import {
  type Answer,
  cut,
  type FakeGateway,
  finished,
  json,
  orderView,
  problem,
  startFakeGateway,
} from './fake-gateway.ts';
import { freshHome } from './run-tillbox.ts';

const executable = fileURLToPath(new URL('../../../dist/bin/tillbox.js', import.meta.url));

describe('a batch', () => {
  let gateway: FakeGateway | undefined;
  const home = freshHome();
  afterEach(async () => {
    await gateway?.stop();
    gateway = undefined;
  });
  after(() => home.remove());

  /** Starts a gateway that answers these to writes in turn, the last one again and again. */
  async function serve(...answers: Answer[]): Promise<void> {
    let writes = 0;
    gateway = await startFakeGateway((response, request, requests) => {
      if (request.method === 'GET') return json(200, { alive: true })(response, request, requests);
      const answer = answers[Math.min(writes, answers.length - 1)] as Answer;
      writes += 1;
      answer(response, request, requests);
    });
  }

  function start(...words: string[]) {
    return spawn(process.execPath, [executable, ...words, '--batch'], {
      env: { PATH: process.env['PATH'], TILLBOX_HOME: home.home, TILLBOX_URL: gateway?.url },
    });
  }

  async function run(input: string | Buffer, ...words: string[]) {
    const child = start(...words);
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      stderr += text;
    });
    child.stdin.on('error', () => {}).end(input);
    const [code] = await once(child, 'close');
    const lines = stdout.split('\n').slice(0, -1);
    return { code, stderr, lines: lines.map((line) => (line === '' ? null : JSON.parse(line))) };
  }

  const writes = () => (gateway?.requests ?? []).filter(({ method }) => method === 'POST');

  /** Answers with an order that carries the description it was sent. */
  const echo: Answer = (response, request, requests) =>
    json(201, orderView({ description: (request.body as { description?: string }).description ?? '' }))(
      response,
      request,
      requests,
    );
  const line = (description: string, more: object = {}) =>
    JSON.stringify({ user_id: 'alice', amount: '1', description, ...more });

  it('prints an answer for each line, in their order, whichever comes first', async () => {
    const slow: Answer = (...parts) => void setTimeout(() => echo(...parts), Math.random() * 30);
    await serve(slow);
    const names = Array.from({ length: 300 }, (_, index) => `n${index}`);
    const { code, stderr, lines } = await run(names.map((name) => line(name)).join('\n'), 'create-order');
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
    expect(lines.map(({ description }) => description)).to.deep.equal(names);
  });

  it('has a problem, with the number of the line, for each that failed, and exits 1', async () => {
    await serve(echo, problem(404, 'account-not-found'), echo);
    const input = `${line('a')}\r\n\r\n\n{bad\n[1]\nnull\n${line('b')}\r\n{"idempotency_key":"k k"}\n${line('c')}`;
    const { code, stderr, lines } = await run(input, 'create-order', '--in-flight', '1');
    expect({ code, stderr }).to.deep.equal({ code: 1, stderr: '' });
    expect(lines.map((each) => each && (each.description ?? [each.line, each.code]))).to.deep.equal([
      'a',
      null,
      null,
      [4, 'malformed-json'],
      [5, 'validation-failed'],
      [6, 'validation-failed'],
      [7, 'account-not-found'],
      [8, 'validation-failed'],
      'c',
    ]);
  });

  it('reads past a byte order mark, lines that are no UTF-8, and lines that never end', async () => {
    await serve(echo);
    const input = Buffer.concat([
      Buffer.from(`\ufeff${line('a')}\n`),
      Buffer.from([0x22, 0xff, 0x22, 0x0a]),
      Buffer.from(`{"description":"${'x'.repeat(3_000_000)}"}\n${line('é🎫')}`),
    ]);
    const { lines } = await run(input, 'create-order');
    expect(lines.map(({ code, description }) => description ?? code)).to.deep.equal([
      'a',
      'malformed-json',
      'body-too-large',
      'é🎫',
    ]);
  });

  it('answers an empty line with an empty one, so that the n-th is about the n-th', async () => {
    await serve(echo);
    const { code, lines } = await run('\n \r\n', 'create-order');
    expect({ code, lines }).to.deep.equal({ code: 0, lines: [null, null] });
    expect(await run('', 'create-order')).to.deep.include({ code: 0, lines: [], stderr: '' });
    expect(gateway?.requests).to.deep.equal([]);
  });

  it('takes the key of a line, else makes one from that of the batch', async () => {
    await serve(echo);
    const input = `${line('a', { idempotency_key: 'mine' })}\n\n${line('b')}`;
    await run(input, 'create-order', '--idempotency-key', 'batch', '--in-flight', '1');
    expect(writes().map(({ key }) => key)).to.deep.equal(['mine', 'batch:3']);
    expect(writes()[0]?.body).to.deep.equal({ user_id: 'alice', amount: '1', description: 'a' });
    await run(line('c'), 'create-order');
    expect(writes()[2]?.key).to.match(/^[0-9a-f-]{36}:1$/);
  });

  it('repeats what was cut off, or refused for a time, with the same key', async () => {
    await serve(cut, problem(503, 'unavailable'), problem(503, 'outcome-unknown'), echo);
    const { code, lines } = await run(line('a'), 'create-order');
    expect({ code, lines: lines.length }).to.deep.equal({ code: 0, lines: 1 });
    expect(writes()).to.have.length(4);
    expect(new Set(writes().map(({ key }) => key)).size).to.equal(1);
  });

  it('prints orders that are final, with --wait, asking again for those that are not', async () => {
    await serve(json(201, orderView()), json(201, orderView(finished)));
    const { code, lines } = await run(line(''), 'create-order', '--wait');
    expect({ code, lines }).to.deep.equal({ code: 0, lines: [orderView(finished)] });
    expect(new Set(writes().map(({ key }) => key)).size).to.equal(1);
  });

  it('exits 124 when an order is not final in time, and prints it as it is', async () => {
    await serve(json(201, orderView()));
    const { code, lines } = await run(line(''), 'create-order', '--wait=0');
    expect({ code, lines }).to.deep.equal({ code: 124, lines: [orderView()] });
  });

  it('creates accounts and tops them up', async () => {
    await serve(json(201, { user_id: 'alice', balance: '0.00' }));
    await run('{"user_id":"alice"}', 'create-account');
    await run('{"user_id":"..","amount":5}\n{"amount":5}\n{"user_id":"a/b","amount":5}', 'topup');
    expect(writes().map(({ path, body }) => ({ path, body }))).to.deep.equal([
      { path: '/accounts', body: { user_id: 'alice' } },
      { path: '/accounts/../topups', body: { amount: 5 } },
    ]);
  });

  it('says once that there is no gateway, and has an error for each line all the same', async () => {
    await serve(echo);
    await gateway?.stop();
    const input = `${line('a')}\n\n{bad\n${`${line('b')}\n`.repeat(2_000)}`;
    const { code, lines, stderr } = await run(input, 'create-order', '--idempotency-key', 'mine');
    expect(code).to.equal(1);
    expect(lines).to.have.length(2_003);
    expect(
      [0, 1, 2, 2_002].map((index) => lines[index] && [lines[index].line, lines[index].code]),
    ).to.deep.equal([[1, 'unavailable'], null, [3, 'malformed-json'], [2_003, 'unavailable']]);
    expect(stderr)
      .to.contain('No gateway answers')
      .and.to.contain('--idempotency-key mine')
      .and.to.match(/^.*\n$/);
  });

  it('has no more under way than it may, and holds its input back', async () => {
    let now = 0;
    let most = 0;
    const counting: Answer = (...parts) => {
      now += 1;
      most = Math.max(most, now);
      setTimeout(() => {
        now -= 1;
        echo(...parts);
      }, 5);
    };
    await serve(counting);
    await run(`${line('a')}\n`.repeat(100), 'create-order', '--in-flight', '3');
    expect(most).to.be.within(2, 3);
  });

  it('takes no further line once nobody reads it, and ends quietly', async () => {
    await serve(echo);
    const child = start('create-order');
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text) => {
      stderr += text;
    });
    child.stdin.on('error', () => {});
    child.stdin.write(`${line('a')}\n`);
    await once(child.stdout, 'data');
    child.stdout.destroy();
    // The input stays open; it ends all the same, at the first line it cannot print.
    child.stdin.write(`${line('b')}\n`);
    const [code] = await once(child, 'close');
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
  });

  it('tells the key that makes a repetition safe when it is interrupted', async () => {
    await serve(() => {});
    const child = start('create-order');
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text) => {
      stderr += text;
    });
    child.stdin.write(`${line('a')}\n`);
    while (writes().length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    child.kill('SIGINT');
    const [code] = await once(child, 'close');
    expect(code).to.equal(130);
    expect(`${stderr.match(/--idempotency-key (\S+):/)?.[1]}:1`).to.equal(writes()[0]?.key);
  });
});
