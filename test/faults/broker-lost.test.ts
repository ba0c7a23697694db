import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { type HarmedSystem, useHarmedSystem } from '../support/harmed-system.ts';
import { expectRecovery, OrderLoad, recoveryMsMax, tell, told } from '../support/order-load.ts';

/** Messages that wait in the broker. */
async function waitingIn(system: HarmedSystem): Promise<number> {
  const [row] = await system.sql<{ count: string }>(
    'broker',
    `select coalesce(sum(jsonb_array_length(data -> 'messages')), 0) as count from broker.job
      where name = 'payment-requests' and state < 'completed'`,
  );
  return Number(row?.count);
}

describe('faults: the broker loses what it was told', () => {
  const system = useHarmedSystem();

  it('brings every order home after its schema was dropped under load and migrated again', async function () {
    this.timeout(180_000);
    const load = await new OrderLoad(system, { perSecond: 200 }).start();
    await sleep(2_000);
    // So that something is lost: these wait in the broker.
    const payments = system.first('payments');
    process.kill(payments.pid, 'SIGSTOP');
    await sleep(1_000);
    const lost = await waitingIn(system);
    expect(lost).to.be.above(0);
    await system.sql('broker', 'drop schema broker cascade');
    payments.resume();
    await sleep(1_000);
    await system.migrate();
    const healedAt = performance.now();
    await sleep(2_000);
    tell(this, `${lost} requests lost`);
    tell(this, told(await expectRecovery(system, load, { healedAt, withinMs: recoveryMsMax })));
  });

  it('brings every order home when it is dropped a second time, the sweep having asked once', async function () {
    this.timeout(240_000);
    const load = await new OrderLoad(system, { perSecond: 20 }).start();
    const payments = system.first('payments');
    process.kill(payments.pid, 'SIGSTOP');
    await sleep(40_000);
    await system.sql('broker', 'drop schema broker cascade');
    payments.resume();
    await sleep(1_000);
    await system.migrate();
    const healedAt = performance.now();
    tell(this, told(await expectRecovery(system, load, { healedAt, withinMs: recoveryMsMax })));
  });

  it('brings every order home when orders dies with it, whatever the sweep has asked before', async function () {
    this.timeout(240_000);
    const load = await new OrderLoad(system, { perSecond: 20 }).start();
    const payments = system.first('payments');
    process.kill(payments.pid, 'SIGSTOP');
    await sleep(3_000);
    // As after a long outage: by its backoff alone the sweep would come in ten minutes.
    await system.sql('orders', 'update orders.waiting set request_count = 9, requested_at = now()');
    await system.sql('broker', 'drop schema broker cascade');
    await system.first('orders').stop('SIGKILL');
    system.first('orders').start();
    payments.resume();
    await sleep(1_000);
    await system.migrate();
    const healedAt = performance.now();
    tell(this, told(await expectRecovery(system, load, { healedAt, withinMs: recoveryMsMax })));
  });

  it('brings every order home when the broker is restored as it was ten seconds ago', async function () {
    this.timeout(180_000);
    const load = await new OrderLoad(system, { perSecond: 100 }).start();
    await sleep(2_000);
    const tables = (
      await system.sql<{ name: string }>(
        'broker',
        `select distinct format('broker.%I', table_name) as name from broker.queue`,
      )
    ).map(({ name }) => name);
    const copy = (name: string) => `public.copy_of_${name.slice('broker.'.length)}`;
    for (const name of tables) await system.sql('broker', `create table ${copy(name)} as table ${name}`);
    await sleep(9_000);
    const payments = system.first('payments');
    process.kill(payments.pid, 'SIGSTOP');
    await sleep(1_000);
    for (const name of tables) {
      await system.sql(
        'broker',
        `begin; delete from ${name}; insert into ${name} select * from ${copy(name)}; drop table ${copy(name)}; commit`,
      );
    }
    payments.resume();
    const healedAt = performance.now();
    tell(this, told(await expectRecovery(system, load, { healedAt, withinMs: recoveryMsMax })));
    expect(system.crashes).to.deep.equal([]);
  });
});
