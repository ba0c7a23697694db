import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import type { BenchServer } from '../bench-server.ts';
import type { Figure } from '../figures.ts';
import { databaseNow, tillboxOrders, untilSettled } from '../order-times.ts';
import { acceptOrders, seedAccounts } from '../seed.ts';
import { drift } from '../statistics.ts';
import { LossError, SystemUnderTest } from '../system-under-test.ts';
import { driveAndSettle, type LoadSettings, settledPerSecond, warmUp } from './under-load.ts';

/** A drain slower than this is not waited for. */
const ordersPerSecondMin = 100;
const pollMs = 100;
/** The drain is told in so many slices of equal time. */
const slices = 10;

/**
 * Orders that were accepted while payments was down, and how they drain when it is up again: the whole, and by
 * slices, so that a step that becomes slower shows.
 */
export async function measureBacklog(
  server: BenchServer,
  orders: number,
  settings: LoadSettings,
  tell: (text: string) => void,
): Promise<Figure[]> {
  const system = await SystemUnderTest.start(server);
  try {
    const { users: accounts, clients, seconds } = settings;
    await seedAccounts(system.admin, accounts);
    await warmUp(system, settings);
    const load = { pace: { clients }, until: { seconds } };
    const normal = settledPerSecond(await driveAndSettle(system, load, settings));
    tell(`backlog: accepting ${orders.toLocaleString('en-US')} orders while payments is down`);
    const since = await databaseNow(system.admin);
    await system.withoutPayments(async () => {
      await acceptOrders(await system.ordersLogin(), { orders, accounts });
      await untilPublished(system.admin);
    });
    tell('backlog: draining');
    const waiting = await untilSettled(system.admin, tillboxOrders, (orders / ordersPerSecondMin) * 1_000);
    if (waiting > 0) throw new LossError(`${waiting} of ${orders} orders of the backlog are still NEW`);
    await system.expectNothingLost();
    const rates = await drainRates(system.admin, since);
    const drain = rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
    return [
      { name: 'normal, orders settled', value: normal, unit: '/s' },
      { name: 'drain, orders settled', value: drain, unit: '/s' },
      { name: 'drain to normal', value: drain / normal, unit: 'x', goal: '≥ 1.00' },
      ...rates.map((value, index): Figure => ({ name: `drain, tenth ${index + 1}`, value, unit: '/s' })),
      { name: 'drain, last third to first', value: drift(rates), unit: 'x', goal: '≥ 1.00' },
    ];
  } finally {
    await system.stop();
  }
}

/** Resolves when every request that was accepted waits in the queue. */
async function untilPublished(admin: pg.Client): Promise<void> {
  for (;;) {
    const { rows } = await admin.query<{ there: boolean }>(
      'select exists (select from orders.outbox) as there',
    );
    if (rows[0]?.there !== true) return;
    await sleep(pollMs);
  }
}

/** Orders settled a second in each slice of the drain, from the first settlement to the last. */
async function drainRates(admin: pg.Client, since: string): Promise<number[]> {
  const { rows } = await admin.query<{ rate: number }>(
    `with settled as (
       select extract(epoch from settled_at - min(settled_at) over ()) as at from orders.orders where created_at >= $1
     ), drain as (
       select max(at) / ${slices} as width from settled
     )
     select count(at) / nullif(width, 0)::float8 as rate
       from drain cross join generate_series(0, ${slices} - 1) as slice
            left join settled on least(floor(at / nullif(width, 0)), ${slices} - 1) = slice
      group by slice, width order by slice`,
    [since],
  );
  return rows.map(({ rate }) => rate);
}
