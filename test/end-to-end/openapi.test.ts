import { randomUUID } from 'node:crypto';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect } from 'chai';
import type { OpenApiDocument } from '../../src/gateway/openapi.ts';
import { useSystem } from '../support/running-system.ts';
import { claimsFor, sign, testSecret } from '../support/tokens.ts';

/** What HTTP itself needs, and what OpenAPI wants left out because `content` says it. */
const ofHttp = new Set([
  'connection',
  'content-length',
  'content-type',
  'date',
  'keep-alive',
  'transfer-encoding',
]);

const shop = 'https://shop.example';

interface Described {
  headers?: Record<string, { $ref: string }>;
  content?: Record<string, { schema?: object }>;
}
interface Operation {
  parameters?: { name: string; in: string }[];
  requestBody?: object;
  responses: Record<string, Described>;
}

/** A request as it is sent, and the path of the document that it is about. */
interface Sent {
  method: 'GET' | 'POST';
  template: string;
  path?: string;
  headers?: Record<string, string>;
  body?: object | string;
}

function add(sets: Map<string, Set<string>>, key: string, value: string): void {
  sets.set(key, (sets.get(key) ?? new Set()).add(value));
}

describe('the OpenAPI document', function () {
  this.timeout(60_000);
  // Every header there is: limits, another origin, a proxy that does TLS.
  const system = useSystem([], {
    TILLBOX_AUTH_SECRET: testSecret,
    TILLBOX_CORS_ORIGINS: shop,
    TILLBOX_TRUST_PROXY: '127.0.0.1',
    TILLBOX_RATE_PER_ADDRESS: '500',
  });
  const user = `user-${randomUUID()}`;
  let document: OpenApiDocument;
  const operator = { authorization: '' };
  /** Who the account and the orders belong to: of an operator's requests nothing is counted. */
  const owner = { authorization: '' };
  const stranger = { authorization: '' };
  /** Headers that were sent with any answer to an operation, by `GET /orders 200`. */
  const seen = new Map<string, Set<string>>();

  before(async () => {
    operator.authorization = `Bearer ${await sign(claimsFor('ops', { scope: 'operator' }), testSecret)}`;
    owner.authorization = `Bearer ${await sign(claimsFor(user), testSecret)}`;
    stranger.authorization = `Bearer ${await sign(claimsFor('nobody'), testSecret)}`;
    document = (await system.get<OpenApiDocument>('/openapi.json')).body;
  });

  function operationOf({ method, template }: Pick<Sent, 'method' | 'template'>): Operation {
    const paths = document.paths as Record<string, Record<string, Operation | undefined> | undefined>;
    const operation = paths[template]?.[method.toLowerCase()];
    if (operation === undefined) throw new Error(`${method} ${template} is not in the document`);
    return operation;
  }

  function expectSchema(schema: object | undefined, value: unknown, what: string) {
    expect(schema, `${what} has no schema`).to.be.an('object').and.not.deep.equal({});
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    const { components } = document;
    const isAsDescribed = ajv.compile({ ...schema, components });
    expect(isAsDescribed(value), `${what}: ${JSON.stringify(isAsDescribed.errors)}`).to.equal(true);
  }

  /** Sends a request; its answer must be one of those that the document tells of, with nothing it does not tell. */
  async function send(sent: Sent): Promise<{ status: number; headers: Headers; body: string }> {
    const { method, template, path = template, headers = owner, body } = sent;
    const operation = operationOf(sent);
    const aborting = new AbortController();
    const answer = await fetch(`${system.url}${path}`, {
      method,
      headers: {
        origin: shop,
        'content-type': 'application/json',
        ...headers,
      },
      signal: aborting.signal,
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const what = `${method} ${template} ${answer.status}`;
    const described = operation.responses[answer.status];
    if (described === undefined) throw new Error(`${what} is not in the document`);
    const told = Object.entries(described.headers ?? {}).map(([name, { $ref }]) => {
      const component = $ref.replace('#/components/headers/', '');
      expect(document.components.headers, what).to.have.property(component);
      return name.toLowerCase();
    });
    const found = [...answer.headers.keys()].filter((name) => !ofHttp.has(name));
    expect(told, `${what} has headers that the document lacks`).to.include.members(found);
    for (const name of found) add(seen, what, name);
    const mediaType = answer.headers.get('content-type')?.split(';')[0] ?? 'none';
    expect(Object.keys(described.content ?? {}), what).to.deep.equal([mediaType]);
    if (template === '/board/events' && answer.ok) {
      aborting.abort();
      return { status: answer.status, headers: answer.headers, body: '' };
    }
    const text = await answer.text();
    const value = mediaType.endsWith('json') ? JSON.parse(text) : text;
    expectSchema(described.content?.[mediaType]?.schema, value, what);
    return { status: answer.status, headers: answer.headers, body: text };
  }

  /** A few real requests of every operation: taken, refused, and repeated. */
  async function sendEverything(): Promise<void> {
    const key = () => ({ ...owner, 'idempotency-key': randomUUID() });
    const account = { method: 'GET', template: '/accounts/{user_id}', path: `/accounts/${user}` } as const;
    const twice = async (sent: Sent) => {
      await send(sent);
      return send(sent);
    };
    await twice({ method: 'POST', template: '/accounts', headers: key(), body: { user_id: user } });
    await send({ method: 'POST', template: '/accounts', body: { user_id: user } });
    const topUp = { method: 'POST', template: '/accounts/{user_id}/topups' } as const;
    await twice({ ...topUp, path: `/accounts/${user}/topups`, headers: key(), body: { amount: '5.00' } });
    await send({ ...topUp, path: '/accounts/none/topups', body: { amount: '5.00' } });
    await send(account);
    const order = { method: 'POST', template: '/orders', body: { user_id: user, amount: '1' } } as const;
    await twice({ ...order, headers: key() });
    const { body } = await twice({ ...order, headers: { ...key(), prefer: 'wait=20' } });
    const { id } = JSON.parse(body) as { id: string };
    await send({ ...order, body: { user_id: user, amount: '-1' } });
    await send({ ...order, body: 'no json' });
    await send({ ...order, headers: { ...owner, 'content-type': 'text/plain' } });
    await send({ ...order, headers: { 'content-type': 'application/json' } });
    const pages = [
      { template: '/accounts/{user_id}/entries', path: `/accounts/${user}/entries` },
      { template: '/orders', path: `/orders?user_id=${user}` },
      { template: '/orders/{id}', path: `/orders/${id}` },
      { template: '/orders/{id}/events', path: `/orders/${id}/events` },
      { template: '/payments/{order_id}', path: `/payments/${id}` },
    ];
    for (const one of pages) {
      await send({ method: 'GET', ...one });
      await send({ method: 'GET', ...one, headers: {} });
      await send({ method: 'GET', ...one, headers: stranger });
      await send({ method: 'GET', ...one, path: one.path.replace(id, 'x').replace(user, '!') });
    }
    await send({ ...account, headers: {} });
    for (const template of ['/livez', '/readyz', '/openapi.json', '/docs', '/board/events']) {
      for (const headers of [operator, owner, {}]) await send({ method: 'GET', template, headers });
    }
    await send({ method: 'GET', template: '/', headers: { accept: 'text/html' } });
    await send({ method: 'GET', template: '/', headers: { accept: 'application/json' } });
  }

  it('tells of every answer its status, its headers and its body, as requests of every operation find them', async () => {
    await sendEverything();
    const tried = new Set([...seen.keys()].map((what) => what.replace(/ \d+$/, '')));
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect([...tried]).to.have.members(operations);
    // None is told of in vain: each was sent with some answer to the operation that is said to have it.
    const documented = new Map<string, Set<string>>();
    const sent = new Map<string, Set<string>>();
    for (const [what, found] of seen) {
      const [method, template = '', status = ''] = what.split(' ');
      const { headers = {} } =
        operationOf({ method: method as Sent['method'], template }).responses[status] ?? {};
      const operation = `${method} ${template}`;
      for (const name of Object.keys(headers)) add(documented, operation, name.toLowerCase());
      for (const name of found) add(sent, operation, name);
    }
    for (const [operation, names] of documented) {
      expect([...(sent.get(operation) ?? [])], operation).to.have.members([...names]);
    }
  });

  it('tells of the headers that a request may have', () => {
    const headersIn = (method: 'GET' | 'POST', template: string) =>
      (operationOf({ method, template }).parameters ?? [])
        .filter((parameter) => parameter.in === 'header')
        .map(({ name }) => name);
    const common = ['traceparent', 'tracestate', 'X-Request-Id'];
    expect(headersIn('POST', '/orders')).to.have.members(['Idempotency-Key', 'Prefer', ...common]);
    expect(headersIn('POST', '/accounts')).to.have.members(['Idempotency-Key', ...common]);
    expect(headersIn('GET', '/orders/{id}/events')).to.have.members(['Last-Event-ID', ...common]);
    expect(headersIn('GET', '/')).to.have.members(['Accept']);
  });
});
