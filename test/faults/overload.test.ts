import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { Agent, fetch } from 'undici';
import { eventually } from '../support/eventually.ts';
import { useHarmedSystem } from '../support/harmed-system.ts';
import { tell } from '../support/order-load.ts';

/** At once, far more than are written while the table is locked. */
const requests = 4_000;
/** Codes of a 503 that say that nothing was stored. */
const storedNothing = ['unavailable', 'overloaded'];

describe('faults: more requests than can be taken', () => {
  const system = useHarmedSystem();
  const agent = new Agent({ connections: requests, connect: { timeout: 20_000 } });
  after(() => agent.destroy());

  const order = async () => {
    const key = randomUUID();
    const answer = await fetch(`${system.first('gateway').url}/orders`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': key },
      body: JSON.stringify({ user_id: 'nobody', amount: '1.00' }),
      dispatcher: agent,
      signal: AbortSignal.timeout(60_000),
    });
    const { id, code = '' } = (await answer.json()) as { id?: string; code?: string };
    return { key, id, code, status: answer.status, retryAfter: Number(answer.headers.get('retry-after')) };
  };

  it('refuses with 503 and Retry-After, tells the truth about each, and works again at once', async function () {
    this.timeout(120_000);
    const holder = await system.hold('orders');
    await holder.query('begin');
    await holder.query('lock table orders.orders in exclusive mode');
    const answers = await Promise.all(Array.from({ length: requests }, order));
    await holder.query('rollback');

    const refused = answers.filter(({ status }) => status !== 201);
    expect(refused.length).to.be.above(requests / 2);
    expect([...new Set(refused.map(({ status }) => status))]).to.deep.equal([503]);
    for (const { retryAfter } of refused) expect(retryAfter).to.be.within(1, 60);

    const again = await eventually(async () => {
      const answer = await order();
      expect(answer.status).to.equal(201);
      return answer;
    });
    // What was on its way when the lock went is written by now, or never.
    await eventually(async () => {
      const rows = await system.sql<{ status: string }>(
        'orders',
        'select status from orders.orders where id = $1',
        [again.id],
      );
      expect(rows).to.deep.equal([{ status: 'CANCELED' }]);
    });
    const rows = await system.sql<{ key: string }>(
      'orders',
      'select idempotency_key as key from orders.orders',
    );
    const stored = new Set(rows.map(({ key }) => key));
    const lied = answers.filter(({ key, status, code }) =>
      status === 201 ? !stored.has(key) : storedNothing.includes(code) && stored.has(key),
    );
    expect(lied).to.deep.equal([]);
    const codes = [...Map.groupBy(refused, ({ code }) => code)].map(([code, of]) => `${of.length} ${code}`);
    tell(this, `${codes.join(', ')}; ${answers.length - refused.length} acknowledged`);
  });
});
