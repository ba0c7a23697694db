import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { HarmedSystem } from '../support/harmed-system.ts';
import { expectRecovery, OrderLoad, tell, told } from '../support/order-load.ts';

const hourMs = 3_600_000;
const preload = [fileURLToPath(new URL('../support/preloads/shift-clock.ts', import.meta.url))];

describe('faults: a wrong clock', () => {
  for (const service of ['orders', 'payments', 'gateway'] as const) {
    it(`changes nothing when the clock of one ${service} is an hour ahead, then jumps back by two`, async function () {
      this.timeout(120_000);
      const clockFile = join(mkdtempSync(join(tmpdir(), 'tillbox-clock-')), 'ms');
      const system = new HarmedSystem({
        instances: { [service]: 2 },
        environment: { TEST_CLOCK: clockFile },
      });
      try {
        writeFileSync(clockFile, String(hourMs));
        await system.startServers();
        await system.migrate();
        await system.makeDaemons();
        system.first(service).preload = preload;
        for (const daemon of system.daemons) daemon.start();
        await system.untilReady();
        const load = await new OrderLoad(system).start();
        await sleep(4_000);
        writeFileSync(clockFile, String(-hourMs));
        await sleep(4_000);
        // A lease of a daemon that dies under the wrong clock comes back as ever.
        await system.of(service).at(-1)?.stop('SIGKILL');
        system.of(service).at(-1)?.start();
        const recovery = await expectRecovery(system, load);
        await expectOrdered(system);
        await expectReplays(system, load);
        tell(this, told(recovery));
      } finally {
        await system.stop();
      }
    });
  }
});

/** A user's list is in the order of the database's times, whole, page by page. */
async function expectOrdered(system: HarmedSystem): Promise<void> {
  const [user] = await system.sql<{ user_id: string }>(
    'orders',
    'select user_id from orders.orders group by 1 order by count(*) desc limit 1',
  );
  const listed: { id: string; created_at: string }[] = [];
  let cursor: string | null = '';
  do {
    const query = `user_id=${user?.user_id}&limit=20${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`;
    const answer = await fetch(`${system.first('gateway').url}/orders?${query}`);
    const page = (await answer.json()) as { orders: typeof listed; next_cursor: string | null };
    listed.push(...page.orders);
    cursor = page.next_cursor;
  } while (cursor !== null);
  const stored = await system.sql<{ id: string }>(
    'orders',
    'select id from orders.orders where user_id = $1 order by created_at desc, id desc',
    [user?.user_id],
  );
  expect(listed.map(({ id }) => id)).to.deep.equal(stored.map(({ id }) => id));
  const times = listed.map(({ created_at }) => Date.parse(created_at));
  expect(times).to.deep.equal([...times].sort((a, b) => b - a));
}

/** The keys used under the wrong clock still answer the first order. */
async function expectReplays(system: HarmedSystem, load: OrderLoad): Promise<void> {
  for (const [key, { userId, amount, id }] of [...load.sent].slice(0, 20)) {
    const answer = await fetch(`${system.first('gateway').url}/orders`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': key },
      body: JSON.stringify({
        user_id: userId,
        amount: `${amount / 100n}.${String(amount % 100n).padStart(2, '0')}`,
      }),
    });
    expect(((await answer.json()) as { id: string }).id).to.equal(id);
  }
}
