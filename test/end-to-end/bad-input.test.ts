import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { type RawAnswer, sendBytes, sendRequest } from '../support/raw-request.ts';
import { useSystem } from '../support/running-system.ts';

interface Problem {
  status: number;
  code: string;
  title: string;
  detail: string;
  request_id: string;
  errors?: { field: string; message: string }[];
}

const jsonType = ['Content-Type', 'application/json'] as const;
const amountRule =
  'must be a decimal number from 0.01 to 1000000000.00 with at most two decimals, such as "49.90"';
const userIdRule = 'must be 1 to 64 characters of A-Z a-z 0-9 . _ @ : -';
const descriptionRule = 'must be up to 500 characters of well-formed text without NUL';
const keyRule = 'must be 1 to 255 visible ASCII characters';
const unknownRule = 'is not a field of this request; leave it out';

/** Amounts that are none, as they are written in JSON. */
const badAmounts = [
  ...['0', '-1', '0.001', '1e3', '1E3', '1e-1', '-0', '0.00', '1000000000000000', '1000000000.01'],
  ...['1.0000000000000000000001', '9007199254740993', '1e999', 'null', 'true', 'false', '[5]', '[]', '{}'],
  ...[
    '""',
    '" "',
    '"0"',
    '"-1"',
    '"+1"',
    '"0.001"',
    '"1e3"',
    '"1,5"',
    '"1.000,00"',
    '"1 000"',
    '" 1"',
    '"1 "',
  ],
  ...[
    '"1000000000000000"',
    '"1000000000.01"',
    '"0x10"',
    '"٣"',
    '"１"',
    '"1."',
    '".5"',
    '"01"',
    '"NaN"',
    '"5\\n"',
  ],
];
/** User ids that are none. */
const badUserIds = [
  ...[
    '""',
    `"${'a'.repeat(65)}"`,
    '"a b"',
    '" a"',
    '"a\\n"',
    '"a\\u0000"',
    '"a\\u001b[2J"',
    '"a\\u007f"',
    '"a/b"',
  ],
  ...['"a%20b"', '"é"', '"\\u202ea"', '"\\ud800"', 'null', '5', 'true', '["a"]', '{"a":1}'],
];
const badDescriptions = [
  ...['"a\\u0000b"', '"\\ud800"', '"\\udc00\\ud800"', `"${'x'.repeat(501)}"`, `"${'🎟'.repeat(501)}"`],
  ...['null', '5', 'true', '["a"]', '{"a":1}'],
];

describe('bad input', () => {
  const system = useSystem();
  const alice = `alice-${randomUUID()}`;

  before(async () => {
    await system.post('/accounts', { user_id: alice });
    await system.post(`/accounts/${alice}/topups`, { amount: '100.00' });
  });

  const post = (
    path: string,
    body: string | Buffer,
    headers: readonly (readonly [string, string])[] = [jsonType],
  ) => sendRequest(system.url, { method: 'POST', path, headers, body });
  const get = (path: string) => sendRequest(system.url, { method: 'GET', path });

  /** A problem document that says what to do, and nothing of the inside. */
  function expectProblem(answer: RawAnswer, status: number, code: string): Problem {
    expect(answer.status, answer.text).to.equal(status);
    expect(answer.headers['content-type']).to.equal('application/problem+json');
    const problem = JSON.parse(answer.text) as Problem;
    expect(problem).to.include({ status, code });
    expect(problem.detail).to.match(/\.$/);
    expect(problem.request_id).to.be.a('string').that.is.not.empty;
    expect(answer.text.length).to.be.lessThan(5_000);
    expect(answer.text).not.to.match(/node_modules|\.ts:|\.js:|\bat \w+ \(|\/dist\/|postgres:\/\//);
    return problem;
  }

  /** The same, of input that breaks the rule of one field. */
  function expectRefused(answer: RawAnswer, field: string, rule: string) {
    const problem = expectProblem(answer, 400, 'validation-failed');
    expect(problem.errors).to.deep.equal([{ field, message: rule }]);
    expect(problem.detail).to.equal(`${field} ${rule}.`);
  }

  async function everythingOf(userId: string) {
    const [account, entries, orders] = await Promise.all([
      system.get(`/accounts/${userId}`),
      system.get(`/accounts/${userId}/entries`),
      system.get(`/orders?user_id=${userId}`),
    ]);
    return [account.body, entries.body, orders.body];
  }

  /** Whatever the work sends, nothing of it is stored. */
  async function expectNothingStored(work: () => Promise<unknown>) {
    const before = await everythingOf(alice);
    await work();
    expect(await everythingOf(alice)).to.deep.equal(before);
  }

  describe('in fields', () => {
    for (const amount of badAmounts) {
      it(`refuses the amount ${amount} in orders and top-ups`, () =>
        expectNothingStored(async () => {
          expectRefused(
            await post('/orders', `{"user_id":"${alice}","amount":${amount}}`),
            'amount',
            amountRule,
          );
          expectRefused(
            await post(`/accounts/${alice}/topups`, `{"amount":${amount}}`),
            'amount',
            amountRule,
          );
        }));
    }

    for (const userId of badUserIds) {
      it(`refuses the user id ${userId.slice(0, 40)}`, async () => {
        expectRefused(await post('/orders', `{"user_id":${userId},"amount":1}`), 'user_id', userIdRule);
        expectRefused(await post('/accounts', `{"user_id":${userId}}`), 'user_id', userIdRule);
        const text: unknown = JSON.parse(userId);
        if (typeof text !== 'string' || !text.isWellFormed()) return;
        expectRefused(await get(`/orders?user_id=${encodeURIComponent(text)}`), 'user_id', userIdRule);
        expectRefused(await get(`/accounts/${encodeURIComponent(text)}`), 'user_id', userIdRule);
        expectRefused(await get(`/accounts/${encodeURIComponent(text)}/entries`), 'user_id', userIdRule);
        const topup = await post(`/accounts/${encodeURIComponent(text)}/topups`, '{"amount":1}');
        expectRefused(topup, 'user_id', userIdRule);
      });
    }

    for (const description of badDescriptions) {
      it(`refuses the description ${description.slice(0, 30)}`, () =>
        expectNothingStored(async () => {
          const body = `{"user_id":"${alice}","amount":1,"description":${description}}`;
          expectRefused(await post('/orders', body), 'description', descriptionRule);
        }));
    }

    it('takes descriptions of 500 characters, and shows them as they came', async () => {
      for (const description of [
        'x'.repeat(500),
        '🎟'.repeat(500),
        '\u001b[2J\u202e\u0001\ufeff',
        '{"$gt":1}',
        "';--",
      ]) {
        const order = { user_id: 'anybody', amount: 1, description };
        const { status, body } = await system.post<{ id: string; description: string }>('/orders', order);
        expect(status).to.equal(201);
        expect(body.description).to.equal(description);
        expect((await system.get<typeof body>(`/orders/${body.id}`)).body.description).to.equal(description);
      }
    });

    it('refuses unknown fields, by name', () =>
      expectNothingStored(async () => {
        for (const field of [
          'status',
          'id',
          'Amount',
          'user_id ',
          '__proto__',
          'constructor',
          'toString',
          'a/b',
        ]) {
          const value = `"${field}":{"amount":1}`;
          expectRefused(
            await post('/orders', `{"user_id":"${alice}","amount":1,${value}}`),
            field,
            unknownRule,
          );
          expectRefused(await post(`/accounts/${alice}/topups`, `{"amount":1,${value}}`), field, unknownRule);
          expectRefused(await post('/accounts', `{"user_id":"new-${alice}",${value}}`), field, unknownRule);
        }
        expect((await get(`/accounts/new-${alice}`)).status).to.equal(404);
      }));

    it('names every field that is wrong at once, and each that is missing', async () => {
      const body = `{"amount":0,"description":5,"status":"FINISHED"}`;
      const problem = expectProblem(await post('/orders', body), 400, 'validation-failed');
      expect(problem.errors).to.have.deep.members([
        { field: 'user_id', message: 'is missing' },
        { field: 'amount', message: amountRule },
        { field: 'description', message: descriptionRule },
        { field: 'status', message: unknownRule },
      ]);
      for (const { field, message } of problem.errors ?? [])
        expect(problem.detail).to.contain(`${field} ${message}`);
    });

    it('says little about very many unknown fields', async () => {
      const fields = Array.from({ length: 1_000 }, (_, index) => `"field${index}":1`).join(',');
      expectProblem(await post('/accounts', `{${fields}}`), 400, 'validation-failed');
      const long = `{"user_id":"a","${'f'.repeat(10_000)}":1}`;
      expectProblem(await post('/accounts', long), 400, 'validation-failed');
    });
  });

  describe('in bodies', () => {
    const order = `{"user_id":"${alice}","amount":"1.00"}`;

    it('refuses what is not a JSON object', () =>
      expectNothingStored(async () => {
        for (const body of ['[]', 'null', '5', '"order"', 'true', `[${order}]`]) {
          expectRefused(await post('/orders', body), 'body', 'must be a JSON object');
        }
        for (const body of [
          '',
          ' ',
          '{',
          'order',
          "{'amount':1}",
          `${order},`,
          order.slice(0, -1),
          '{"amount":01}',
        ]) {
          expectProblem(await post('/orders', body), 400, 'malformed-json');
        }
        for (const body of [
          Buffer.from([0xff, 0xfe, 0x00, 0x80]),
          Buffer.from([0x1f, 0x8b, 0x08, 0x00, 0x00]),
          Buffer.concat([
            Buffer.from('{"user_id":"'),
            Buffer.from([0xc3, 0x28]),
            Buffer.from('","amount":1}'),
          ]),
          Buffer.from(order, 'utf16le'),
        ]) {
          expectProblem(await post('/orders', body), 400, 'malformed-json');
        }
      }));

    it('refuses a request without a body', async () => {
      for (const path of ['/orders', '/accounts', `/accounts/${alice}/topups`]) {
        expectRefused(
          await sendRequest(system.url, { method: 'POST', path }),
          'body',
          'must be a JSON object',
        );
        const typed = await sendRequest(system.url, { method: 'POST', path, headers: [jsonType] });
        expectProblem(typed, 400, 'malformed-json');
      }
    });

    it('takes JSON only', () =>
      expectNothingStored(async () => {
        for (const type of [
          ...[
            'text/plain',
            'application/x-www-form-urlencoded',
            'multipart/form-data; boundary=x',
            'application/xml',
          ],
          ...['application/jsonx', 'application/problem+json', 'json', ';', 'application/json5', '*/*'],
        ]) {
          const answer = await post('/orders', order, [['Content-Type', type]]);
          expectProblem(answer, 415, 'unsupported-media-type');
        }
        expectProblem(await post('/orders', order, []), 415, 'unsupported-media-type');
      }));

    it('takes JSON by any of its names', async () => {
      for (const type of [
        'application/json; charset=utf-8',
        'Application/JSON',
        'application/json;charset="utf-8"',
      ]) {
        const body = '{"user_id":"anybody","amount":1}';
        expect((await post('/orders', body, [['Content-Type', type]])).status, type).to.equal(201);
      }
    });

    it('refuses bodies of more than 16 KiB, told or untold', () =>
      expectNothingStored(async () => {
        const body = `${order.slice(0, -1)}${' '.repeat(17 * 1024 - order.length)}}`;
        const problem = expectProblem(await post('/orders', body), 413, 'body-too-large');
        expect(problem.detail).to.contain('16384 bytes');
        const chunked = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
        const head = `POST /orders HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n`;
        const answer = await sendBytes(system.url, `${head}Transfer-Encoding: chunked\r\n\r\n${chunked}`);
        expectProblem(answer, 413, 'body-too-large');
        const fits = `{"user_id":"anybody","amount":1${' '.repeat(16_384 - 32)}}`;
        expect(fits).to.have.length(16_384);
        expect((await post('/orders', fits)).status).to.equal(201);
      }));

    it('refuses what is nested deep', () =>
      expectNothingStored(async () => {
        const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
        const deep = `${'{"a":'.repeat(2_700)}1${'}'.repeat(2_700)}`;
        for (const amount of ['1', '"1"', '1e3']) {
          const body = `{"user_id":"${alice}","amount":${amount},"x":${nested(8_000)}}`;
          const problem = expectProblem(await post('/orders', body), 400, 'validation-failed');
          expect(problem.errors).to.deep.include({ field: 'x', message: unknownRule });
        }
        const amount = await post('/orders', `{"user_id":"${alice}","amount":${nested(8_000)}}`);
        expectRefused(amount, 'amount', amountRule);
        expectRefused(await post('/orders', nested(8_000)), 'body', 'must be a JSON object');
        expect(expectProblem(await post('/orders', deep), 400, 'validation-failed').errors).to.not.equal(
          undefined,
        );
        expectProblem(await post('/orders', nested(100_000)), 413, 'body-too-large');
        expectProblem(await post('/orders', '['.repeat(16_000)), 400, 'malformed-json');
      }));
  });

  describe('in idempotency keys', () => {
    const routes = [
      ['/orders', `{"user_id":"${alice}","amount":1}`],
      [`/accounts/${alice}/topups`, '{"amount":1}'],
      ['/accounts', `{"user_id":"keyed-${alice}"}`],
    ] as const;
    for (const [name, key] of [
      ['no character', ''],
      ['256 characters', 'k'.repeat(256)],
      ['a space', 'a b'],
      ['a tab', 'a\tb'],
      ['a letter that is not ASCII', 'clé'],
      ['10,000 characters', 'k'.repeat(10_000)],
    ] as const) {
      it(`refuses one with ${name}`, () =>
        expectNothingStored(async () => {
          for (const [path, body] of routes) {
            const answer = await post(path, body, [jsonType, ['Idempotency-Key', key]]);
            expectRefused(answer, 'idempotency-key', keyRule);
          }
        }));
    }

    it('refuses two of them, equal or not', () =>
      expectNothingStored(async () => {
        for (const second of ['one', 'two']) {
          for (const [path, body] of routes) {
            const keys = [jsonType, ['Idempotency-Key', 'one'], ['Idempotency-Key', second]] as const;
            expectRefused(await post(path, body, keys), 'idempotency-key', keyRule);
          }
        }
        expect((await get(`/accounts/keyed-${alice}`)).status).to.equal(404);
      }));
  });

  describe('in lists', () => {
    const cursorRule = 'must be the next_cursor of the page before';
    const lists = [`/orders?user_id=${alice}&`, `/accounts/${alice}/entries?`];

    for (const limit of ['0', '-1', '501', 'abc', '1e2', '', '1.5', '+5', '007', '%2050', '9'.repeat(400)]) {
      it(`refuses the limit ${limit.slice(0, 10)}`, async () => {
        for (const list of lists) {
          expectRefused(await get(`${list}limit=${limit}`), 'limit', 'must be a whole number from 1 to 500');
        }
      });
    }

    it('refuses cursors that nobody gave out', async () => {
      const encoded = (text: string) => Buffer.from(text).toString('base64url');
      const other = await system.post<{ id: string }>('/orders', { user_id: 'somebody-else', amount: 1 });
      const texts = ['abc', '0', '-1', '1e3', randomUUID(), other.body.id, "1' or 1=1", '9'.repeat(30), '\0'];
      for (const cursor of [
        '',
        '%00',
        'a'.repeat(101),
        '%C3%A9',
        'a%20b',
        '====',
        'null',
        ...texts.map(encoded),
      ]) {
        for (const list of lists) expectRefused(await get(`${list}cursor=${cursor}`), 'cursor', cursorRule);
      }
    });

    it('refuses the cursor of another list', async () => {
      const pageOf = async (path: string) =>
        (await system.get<{ next_cursor: string }>(path)).body.next_cursor;
      const bob = `bob-${randomUUID()}`;
      await system.post('/accounts', { user_id: bob });
      for (const _ of [1, 2]) {
        await system.post(`/accounts/${bob}/topups`, { amount: '5.00' });
        await system.post('/orders', { user_id: bob, amount: '1.00' });
      }
      const ofOrders = await pageOf(`/orders?user_id=${bob}&limit=1`);
      const ofEntries = await pageOf(`/accounts/${bob}/entries?limit=1`);
      expectRefused(await get(`/orders?user_id=${alice}&cursor=${ofOrders}`), 'cursor', cursorRule);
      expectRefused(await get(`/orders?user_id=${bob}&cursor=${ofEntries}`), 'cursor', cursorRule);
      expectRefused(await get(`/accounts/${bob}/entries?cursor=${ofOrders}`), 'cursor', cursorRule);
    });

    it('refuses parameters that are repeated, unknown, missing or of a status there is not', async () => {
      const statusRule = 'must be one of NEW, FINISHED, CANCELED';
      expectRefused(await get(`/orders?user_id=${alice}&user_id=${alice}`), 'user_id', userIdRule);
      expectRefused(await get('/orders'), 'user_id', 'is missing');
      for (const status of ['new', 'PAID', '', 'NEW,FINISHED']) {
        expectRefused(await get(`/orders?user_id=${alice}&status=${status}`), 'status', statusRule);
      }
      expectRefused(await get(`/orders?user_id=${alice}&status=NEW&status=NEW`), 'status', statusRule);
      for (const list of lists) {
        expectRefused(await get(`${list}limit=1&limit=1`), 'limit', 'must be a whole number from 1 to 500');
        expectRefused(await get(`${list}offset=5`), 'offset', unknownRule);
        expectRefused(await get(`${list}__proto__=5`), '__proto__', unknownRule);
        expectRefused(await get(`${list}limit[]=5`), 'limit[]', unknownRule);
      }
    });
  });

  describe('in paths', () => {
    it('refuses ids of orders that are no UUID', async () => {
      const id = randomUUID();
      for (const text of [
        ...[
          '1',
          'abc',
          id.slice(1),
          `${id}0`,
          id.replaceAll('-', ''),
          `{${id}}`,
          `urn:uuid:${id}`,
          '%20',
          '..%2f..',
        ],
        ...[`${id}%00`, `${id}%0A`, '%F0%9F%8E%9F', '%2e%2e', "'", '%27%20or%201=1', `${id.slice(0, -1)}g`],
      ]) {
        expectRefused(await get(`/orders/${text}`), 'id', 'must be a UUID');
        expectRefused(await get(`/orders/${text}/events`), 'id', 'must be a UUID');
      }
    });

    it('refuses percent signs that encode nothing', async () => {
      const rule = 'must be UTF-8, and every % in it must begin two hexadecimal digits';
      for (const path of [
        '/accounts/%zz',
        '/accounts/%',
        '/orders/%f',
        '/orders/%C3%28',
        '/%',
        '/accounts/%ff/entries',
      ]) {
        expectRefused(await get(path), 'path', rule);
      }
      for (const path of [
        '/accounts/%00',
        '/accounts/%2F',
        '/accounts/a%2Fentries',
        '/accounts/%2e%2e%2forders',
      ]) {
        expectRefused(await get(path), 'user_id', userIdRule);
      }
      expectRefused(await get('/orders?user_id=%zz'), 'user_id', userIdRule);
    });

    it('refuses very long paths', async () => {
      for (const path of ['/accounts/', '/orders/']) {
        expectProblem(await get(path + 'a'.repeat(4_000)), 400, 'validation-failed');
        expectProblem(await get(path + 'a'.repeat(6_000)), 414, 'uri-too-long');
        expectProblem(await get(path + 'a'.repeat(20_000)), 431, 'headers-too-large');
      }
      expectProblem(await get(`/${'a/'.repeat(3_000)}`), 404, 'route-not-found');
      expectProblem(await get(`/orders?user_id=${'a'.repeat(9_000)}`), 400, 'validation-failed');
    });
  });

  describe('on the socket', () => {
    for (const [name, bytes] of [
      ['words', 'hello\r\n\r\n'],
      ['a TLS greeting', Buffer.from([0x16, 0x03, 0x01, 0x00, 0x05, 0x01, 0x02, 0x03, 0x04])],
      ['another version', 'GET /livez HTTP/9.9\r\nHost: localhost\r\n\r\n'],
      ['a control character in the path', 'GET /livez\x01 HTTP/1.1\r\nHost: localhost\r\n\r\n'],
      ['a header without a name', 'GET /livez HTTP/1.1\r\nHost: localhost\r\n: y\r\n\r\n'],
      ['a NUL in a header', 'GET /livez HTTP/1.1\r\nHost: localhost\r\nA: \0\r\n\r\n'],
      [
        'two lengths',
        'POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello',
      ],
      [
        'a length that is no number',
        'POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Length: abc\r\n\r\n',
      ],
      [
        'a length and chunks',
        'POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      ],
      [
        'chunks that are none',
        'POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
      ],
    ] as const) {
      it(`refuses ${name}`, async () => {
        expectProblem(await sendBytes(system.url, bytes), 400, 'malformed-request');
      });
    }

    it('refuses headers that are too large, and a request without a host', async () => {
      const headers = [['X-Long', 'x'.repeat(20_000)]] as const;
      const large = await sendRequest(system.url, { method: 'GET', path: '/livez', headers });
      expectProblem(large, 431, 'headers-too-large');
      const hostless = await sendBytes(system.url, 'GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n');
      expectProblem(hostless, 400, 'malformed-request');
    });

    it('stores nothing of a request that ends in the middle', () =>
      expectNothingStored(async () => {
        const body = `{"user_id":"${alice}","amount":1}`;
        const head = `POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length + 1}`;
        const { default: net } = await import('node:net');
        await new Promise<void>((resolve) => {
          const socket = net.connect(Number(new URL(system.url).port), '127.0.0.1', () => {
            socket.end(`${head}\r\n\r\n${body}`);
          });
          socket.resume().once('close', () => resolve());
        });
      }));
  });

  describe('at the command line', () => {
    const topup = (amount: string) => ['topup', alice, amount];
    const pay = (...words: string[]) => ['create-order', alice, ...words];
    const cases: [string, string[], RegExp][] = [
      ...['0', '0.001', '1e3', '1,5', 'null', 'true', '1000000000000000', '', '[5]'].flatMap(
        (amount): [string, string[], RegExp][] => [
          [`topup ${amount}`, topup(amount), /amount must be a decimal number from 0\.01/],
          [`create-order ${amount}`, pay(amount), /amount must be a decimal number from 0\.01/],
        ],
      ),
      ['a negative amount', ['topup', alice, '--', '-1'], /amount must be a decimal number from 0\.01/],
      ['an empty user', ['balance', ''], /user_id must be 1 to 64 characters/],
      ['a user of 65 characters', ['create-account', 'a'.repeat(65)], /user_id must be 1 to 64 characters/],
      ['a user with a space', ['create-order', 'a b', '1'], /user_id must be 1 to 64 characters/],
      ['a user with a control character', ['statement', 'a\u001b[2J'], /user_id must be .*a\\u\{1b\}\[2J/],
      ['501 characters', pay('1', 'x'.repeat(501)), /description must be up to 500 characters/],
      ['an order that is no UUID', ['order', '42'], /id must be a UUID/],
      [
        'a status there is not',
        ['orders', alice, '--status', 'PAID'],
        /status must be one of NEW, FINISHED, CANCELED/,
      ],
      ['the limit 0', ['orders', alice, '--limit', '0'], /limit/i],
      ['the limit 1e2', ['orders', alice, '--limit', '1e2'], /limit/i],
      ['a key with a space', [...topup('1'), '--idempotency-key', 'a b'], /idempotency-key must be 1 to 255/],
      [
        'a key of 256',
        [...topup('1'), '--idempotency-key', 'k'.repeat(256)],
        /idempotency-key must be 1 to 255/,
      ],
      ['an empty key', [...topup('1'), '--idempotency-key', ''], /idempotency-key must be 1 to 255/],
      ['a missing amount', ['topup', alice], /AMOUNT is missing/],
      ['a missing user', ['balance'], /USER is missing/],
      ['an unknown command', ['top-up', alice, '1'], /top-up/],
      ['an unknown flag', ['balance', alice, '--fast'], /--fast/],
      ['an argument too many', ['balance', alice, 'bob'], /argument/],
    ];
    it('refuses it all with a sentence and exit code 2, and sends nothing', () =>
      expectNothingStored(async () => {
        const check = async ([name, args, sentence]: (typeof cases)[number]) => {
          const { code, stdout, stderr } = await system.run(args);
          expect(code, `${name}: ${stderr}`).to.equal(2);
          expect(stdout, name).to.equal('');
          expect(stderr, name)
            .to.match(/^tillbox: /)
            .and.match(sentence);
          expect(stderr, name).not.to.match(/\bat \w+ \(|node_modules|\u001b/);
        };
        // A few processes at a time.
        const rest = cases.values();
        const checkRest = async () => {
          for (const one of rest) await check(one);
        };
        await Promise.all([checkRest(), checkRest(), checkRest()]);
      })).timeout(60_000);

    it('refuses it as a problem document with --json', async () => {
      const { code, stdout, stderr } = await system.run(['topup', alice, '1,5', '--json']);
      expect([code, stdout]).to.deep.equal([2, '']);
      expect(JSON.parse(stderr)).to.deep.include({
        code: 'validation-failed',
        errors: [{ field: 'amount', message: amountRule }],
      });
    });
  });
});
