import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { useHarmedSystem } from '../support/harmed-system.ts';
import { expectRecovery, OrderLoad, tell, told } from '../support/order-load.ts';
import { type Answered, Probe, unacceptable } from '../support/probe.ts';

/** Requests of the held account before those of the others: more than one pass takes. */
const heldOrders = 1_500;
const atOnce = 50;
/** What an order of another account may take meanwhile. */
const waitMsMax = 2_000;

describe('faults: a lock on one account', () => {
  const system = useHarmedSystem();

  const post = async (path: string, body: object, key = randomUUID() as string) => {
    const since = performance.now();
    const answer = await fetch(`${system.first('gateway').url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': key, prefer: 'wait=30' },
      body: JSON.stringify(body),
    });
    return {
      status: answer.status,
      body: (await answer.json()) as { status?: string; code?: string },
      ms: Math.round(performance.now() - since),
    };
  };

  /** The same, again under its key while the answer is 503, as a client does; answers how long all of it took. */
  const postUntilTaken = async (path: string, body: object) => {
    const since = performance.now();
    const key = randomUUID();
    for (;;) {
      const answer = await post(path, body, key);
      if (answer.status !== 503) return { ...answer, ms: Math.round(performance.now() - since) };
    }
  };

  it('holds back the orders of that account, not those of the others nor their top-ups', async function () {
    // Half a minute of computing; on a slow machine, with other tests beside it, three times that.
    this.timeout(240_000);
    for (const userId of ['held', 'free']) {
      await post('/accounts', { user_id: userId });
      await post(`/accounts/${userId}/topups`, { amount: '1000.00' });
    }
    const load = await new OrderLoad(system).start();
    const holder = await system.hold('payments');
    await holder.query('begin');
    await holder.query(`select from payments.accounts where user_id = 'held' for update`);
    // A few at a time: what is tried is the lock, not how much the gateway takes at once.
    for (let sent = 0; sent < heldOrders; sent += atOnce) {
      const order = () => load.writeUntilDone('/orders', { user_id: 'held', amount: '0.01' });
      await Promise.all(Array.from({ length: atOnce }, order));
    }

    const heldTopup = post('/accounts/held/topups', { amount: '1.00' });
    const orders = [];
    const answered: Answered[] = [];
    // Says how slow this machine is meanwhile.
    const probe = new Probe(system.first('gateway').url, { onlyControl: true });
    for (let index = 0; index < 10; index += 1) {
      const at = performance.now();
      const order = await postUntilTaken('/orders', { user_id: 'free', amount: '1.00' });
      orders.push(order);
      answered.push({ what: 'an order of another account', at, ...order });
    }
    const alive = await probe.stop();
    const freeTopup = await post('/accounts/free/topups', { amount: '1.00' });
    expect(orders.map(({ body }) => body.status)).to.deep.equal(orders.map(() => 'FINISHED'));
    const slowest = Math.max(...orders.map(({ ms }) => ms));
    expect(unacceptable([...alive, ...answered], waitMsMax)).to.deep.equal([]);
    expect(freeTopup.status).to.equal(201);
    expect((await heldTopup).status).to.equal(503);

    await holder.query('rollback');
    const recovery = await expectRecovery(system, load);
    tell(this, `others final within ${slowest} ms; ${told(recovery)}`);
  });
});
