import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { eventually } from '../support/eventually.ts';
import { useHarmedSystem } from '../support/harmed-system.ts';
import { expectRecovery, OrderLoad, tell, told } from '../support/order-load.ts';

/** Longer than a lease, and than Postgres leaves an idle transaction its locks. */
const pausedMs = 14_000;
const preload = [fileURLToPath(new URL('../support/preloads/stop-at-statement.ts', import.meta.url))];
const stopFile = join(mkdtempSync(join(tmpdir(), 'tillbox-stop-')), 'stop.json');

const places: {
  service: 'orders' | 'payments';
  what: string;
  text: string;
  after?: string;
  when: 'before' | 'done';
}[] = [
  { service: 'orders', what: 'before the insert of orders', text: 'orders_insert', when: 'before' },
  {
    service: 'orders',
    what: 'inside the transaction of its relay',
    text: 'orders_outbox_take',
    when: 'done',
  },
  { service: 'orders', what: 'before a settlement', text: 'orders_settle', when: 'before' },
  {
    service: 'orders',
    what: 'between a settlement and its completion',
    text: 'orders_settle',
    when: 'done',
  },
  {
    service: 'payments',
    what: 'between the inbox and the completion',
    text: 'inbox_receive',
    when: 'done',
  },
  { service: 'payments', what: 'with accounts locked', text: 'decisions_find', when: 'before' },
  {
    service: 'payments',
    what: 'before the COMMIT of decisions',
    text: 'commit',
    after: 'decisions_insert',
    when: 'before',
  },
  {
    service: 'payments',
    what: 'inside the transaction of its relay',
    text: 'payments_outbox_take',
    when: 'done',
  },
];

describe('faults: a pause longer than the lease', () => {
  const system = useHarmedSystem({
    instances: { orders: 2, payments: 2 },
    preload: { orders: preload, payments: preload },
    environment: { TEST_STOP: stopFile },
  });

  for (const { service, what, text, after, when } of places) {
    it(`loses and repeats nothing when ${service} is paused ${what}`, async function () {
      this.timeout(120_000);
      const load = await new OrderLoad(system, { perSecond: 30 }).start();
      await sleep(500);
      // Read by the first instance of that service to come there; the other service has no such statement.
      writeFileSync(stopFile, JSON.stringify({ text, after, when }));
      await eventually(() => expect(existsSync(stopFile)).to.equal(false));
      await sleep(pausedMs);
      for (const daemon of system.of(service)) daemon.resume();
      const healedAt = performance.now();
      tell(this, told(await expectRecovery(system, load, { healedAt })));
    });
  }
});
