import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { OrderCreation } from '../../src/orders/create-orders.ts';
import { Database } from '../../src/platform/database.ts';
import { roleUrl } from '../../src/system/roles.ts';
import type { DaemonProcess } from '../support/daemon-process.ts';
import { useHarmedSystem } from '../support/harmed-system.ts';
import { expectRecovery, OrderLoad, tell, told } from '../support/order-load.ts';
import { silentLog } from '../support/test-server.ts';

/** Orders that wait when payments comes back; BACKLOG_ORDERS tries more of them, such as a million. */
const waitingOrders = Number(process.env['BACKLOG_ORDERS'] ?? 50_000);
const usersMax = 1_000;
const insertedAtOnce = 100;
const writersMax = 4;
/** Longer than the sweep leaves an order alone; AWAY_SECONDS tries longer, such as ten minutes. */
const awayMs = Number(process.env['AWAY_SECONDS'] ?? 40) * 1_000;
/** What a daemon may need, however much waits: measured were 368 with a million. */
const memoryMbMax = 400;
/** The sweep takes what waits for long for lost, but may ask for no more of it again than this. */
const sweptPerSecondMax = 300;
/** The sweep looks every 2 s. */
const sweptWithinMs = 5_000;
/** Far below what it does, on a machine that is busy with other things too. */
const drainedPerSecondMin = 200;

describe('faults: payments away while orders pour in', () => {
  const system = useHarmedSystem({ settings: { max_wal_size: '4GB' } });

  /** The most memory each daemon has ever had, in MB. */
  const memoryMb = (daemons: readonly DaemonProcess[]) =>
    Object.fromEntries(
      daemons.map(({ name, pid }) => {
        const [, kb = '0'] = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
        return [name, Math.round(Number(kb) / 1_000)];
      }),
    );

  /** Messages on their way to payments; those published before a time, in what is left of their jobs. */
  const requestsBefore = (time: string) =>
    system.count(
      'broker',
      `select coalesce(sum(jsonb_array_length(data -> 'messages')), 0) as count from broker.job
        where name = 'payment-requests' and state < 'completed' and created_on < '${time}'`,
    );
  const waiting = () =>
    system.count(
      'orders',
      `select count(*) from orders.orders where status = 'NEW' and user_id like 'many-%'`,
    );

  /** Accounts, one in two of them with money, and orders of theirs with their requests, as the service writes them. */
  async function makeBacklog(): Promise<void> {
    await system.sql(
      'payments',
      `with account as (
         insert into payments.accounts (user_id, balance, entry_count)
         select 'many-' || n, 100000000000, 1 from generate_series(0, ${usersMax - 1}) n where n % 2 = 0 returning user_id
       ), topup as (
         insert into payments.topups (id, user_id, amount, balance)
         select gen_random_uuid(), user_id, 100000000000, 100000000000 from account returning id, user_id
       )
       insert into payments.entries (user_id, seq, amount, balance, topup_id)
       select user_id, 1, 100000000000, 100000000000, id from topup`,
    );
    const database = new Database({
      url: await roleUrl(system.urls.orders, 'orders', silentLog),
      name: 'test',
      connectionsMax: writersMax,
      log: silentLog,
    });
    const creation = new OrderCreation({ database, afterCommit: () => {} });
    const numbers = Array.from(
      { length: Math.ceil(waitingOrders / insertedAtOnce) },
      (_, index) => index,
    ).values();
    const write = async () => {
      for (const number of numbers) {
        const requests = Array.from({ length: insertedAtOnce }, (_, index) => ({
          userId: `many-${(number * insertedAtOnce + index) % usersMax}`,
          amount: BigInt(1 + index),
          description: '',
          idempotencyKey: undefined,
          traceparent: undefined,
        }));
        await creation.createOrders(requests);
      }
    };
    await Promise.all(Array.from({ length: writersMax }, write));
    await database.close();
  }

  /** What was requested again waits in the queue: it is not requested a third time within ten minutes. */
  async function expectRequestedOnceMore(): Promise<void> {
    // As if nearly ten minutes had gone by; those that have waited for so long may be due.
    const again = await system.sql<{ order_id: string }>(
      'orders',
      `update orders.waiting set requested_at = now() - interval '9 minutes'
        where request_count = 2 and requested_at > now() - interval '9 minutes' returning order_id`,
    );
    expect(again).to.not.have.length(0);
    await sleep(sweptWithinMs);
    const thirdTime = await system.sql(
      'orders',
      'select from orders.waiting where request_count > 2 and order_id = any($1)',
      [again.map(({ order_id }) => order_id)],
    );
    expect(thirdTime).to.have.length(0);
  }

  it('keeps its memory, then drains at full speed, with new orders in their turn', async function () {
    this.timeout(180_000 + awayMs + waitingOrders * 12);
    const payments = system.first('payments');
    await payments.stop();
    await makeBacklog();
    const publishedSince = performance.now();
    while ((await system.count('orders', 'select count(*) from orders.outbox')) > 100) await sleep(500);
    const publishedS = (performance.now() - publishedSince) / 1_000;
    // Orders are taken as ever while payments is away.
    const load = await new OrderLoad(system, { perSecond: 20, funded: false }).start();
    await sleep(awayMs);
    const away = memoryMb(system.daemons.filter((daemon) => daemon !== payments));
    expect(load.refusals).to.deep.equal([]);
    await expectRequestedOnceMore();

    const startedAt = await system.now('orders');
    const ahead = await requestsBefore(startedAt);
    payments.start();
    const since = performance.now();
    const seconds = () => (performance.now() - since) / 1_000;
    const untilNone = async (rest: () => Promise<number>) => {
      let left = await rest();
      for (; left > 0 && seconds() < ahead / drainedPerSecondMin + 30; left = await rest()) await sleep(500);
      expect(left, 'still waiting').to.equal(0);
      return seconds();
    };
    const drainedS = await untilNone(waiting);
    // What the load and the sweep asked for meanwhile waits before what is fresh, too.
    const aheadS = await untilNone(() => requestsBefore(startedAt));
    const memory = { away, draining: memoryMb(system.daemons) };
    const recovery = await expectRecovery(system, load, { withinMs: 60_000 });
    const [fresh] = await system.sql<{ median: number; worst: number; count: string }>(
      'orders',
      `select percentile_cont(0.5) within group (order by extract(epoch from settled_at - created_at)) as median,
              max(extract(epoch from settled_at - created_at)) as worst, count(*)
         from orders.orders where user_id not like 'many-%' and settled_at is not null
          and created_at between $1::timestamptz and $1::timestamptz + make_interval(secs => $2)`,
      [startedAt, aheadS],
    );
    // In its turn: none takes longer than what was there before it takes to drain.
    expect(Number(fresh?.count)).to.be.above(0);
    expect(Number(fresh?.worst)).to.be.below(aheadS + 5);
    const requests = await system.count('payments', 'select sum(deliveries) as count from payments.inbox');
    tell(
      this,
      [
        `${waitingOrders} waiting, published in ${publishedS.toFixed(0)} s`,
        `with ${ahead} requests in the queue, drained in ${drainedS.toFixed(1)} s, ${Math.round(waitingOrders / drainedS)} orders/s, all requests in ${aheadS.toFixed(1)} s`,
        `${fresh?.count} fresh orders: median ${Number(fresh?.median).toFixed(1)} s, worst ${Number(fresh?.worst).toFixed(1)} s`,
        `${requests} requests delivered, most memory in MB ${JSON.stringify(memory)}`,
        told(recovery),
      ].join('; '),
    );
    const again = requests - waitingOrders - load.sent.size;
    expect(again, 'requested again').to.be.below(sweptPerSecondMax * (aheadS + awayMs / 1_000));
    for (const [name, mb] of Object.entries(memory.draining)) expect(mb, name).to.be.below(memoryMbMax);
  });
});
