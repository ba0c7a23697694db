import type pg from 'pg';
import type { BenchServer } from '../bench-server.ts';
import { countConnections, queueSizes } from '../database-usage.ts';
import type { Figure, Unit } from '../figures.ts';
import { databaseNow } from '../order-times.ts';
import { residentMegabytes } from '../process-usage.ts';
import { seedAccounts } from '../seed.ts';
import { drift } from '../statistics.ts';
import { SystemUnderTest } from '../system-under-test.ts';
import { driveAndSettle, type LoadSettings, settledPerSecond, warmUp } from './under-load.ts';

/** Of the maximum, measured right before. */
const share = 0.8;
/** Looks at the system, and slices of its orders, over the whole of the soak. */
const slices = 30;

/**
 * A long run at most of what the system can do, looked at all the while.
 */
export async function measureSoak(
  server: BenchServer,
  soakSeconds: number,
  settings: LoadSettings,
  tell: (text: string) => void,
): Promise<Figure[]> {
  const system = await SystemUnderTest.start(server);
  try {
    await seedAccounts(system.admin, settings.users);
    await warmUp(system, settings);
    const { clients, seconds } = settings;
    const most = settledPerSecond(
      await driveAndSettle(system, { pace: { clients }, until: { seconds } }, settings),
    );
    const perSecond = Math.round(most * share);
    tell(`soak: ${perSecond} orders a second for ${Math.round(soakSeconds / 60)} minutes`);
    const since = await databaseNow(system.admin);
    const series = new Series();
    const look = () => series.look(system);
    const timer = setInterval(look, (soakSeconds * 1_000) / slices);
    try {
      await driveAndSettle(system, { pace: { perSecond }, until: { seconds: soakSeconds } }, settings);
    } finally {
      clearInterval(timer);
    }
    await series.end();
    await system.expectNothingLost();
    for (const { settled, p99 } of await sliced(system.admin, since, soakSeconds)) {
      series.add('orders settled', settled, '/s');
      series.add('settled after, p99', p99, 'ms');
    }
    return [{ name: 'orders planned', value: perSecond, unit: '/s' }, ...series.figures()];
  } finally {
    await system.stop();
  }
}

/** What is looked at again and again, by name. */
class Series {
  readonly #values = new Map<string, { unit: Unit; values: number[] }>();
  #looking: Promise<void> = Promise.resolve();

  add(name: string, value: number, unit: Unit): void {
    const series = this.#values.get(name) ?? { unit, values: [] };
    series.values.push(value);
    this.#values.set(name, series);
  }

  look(system: SystemUnderTest): void {
    this.#looking = this.#looking.then(async () => {
      for (const { name, pid } of system.processes) {
        if (name !== 'postgres') this.add(`memory, ${name}`, residentMegabytes(pid), 'MB');
      }
      this.add('connections', await countConnections(system.admin), '');
      for (const { name, table, indexes } of await queueSizes(system.admin)) {
        this.add(`size, ${name}`, table, 'MB');
        this.add(`size of indexes, ${name}`, indexes, 'MB');
      }
    });
  }

  /** Resolves when nobody looks any more. */
  end(): Promise<void> {
    return this.#looking;
  }

  /** Every value, as those of one figure; and the last third against the first, which is 1 where it is flat. */
  figures(): Figure[] {
    return [...this.#values].flatMap(([name, { unit, values }]): Figure[] => [
      ...values.map((value) => ({ name, value, unit })),
      { name: `${name}: last third to first`, value: drift(values), unit: 'x' },
    ]);
  }
}

/** The orders of the soak by when they were created, in slices of equal time. */
async function sliced(admin: pg.Client, since: string, soakSeconds: number) {
  const { rows } = await admin.query<{ settled: number; p99: number }>(
    `select count(settled_at) / ($2::float8 / ${slices}) as settled,
            percentile_cont(0.99) within group (order by 1000 * extract(epoch from settled_at - created_at)) as p99
       from orders.orders where created_at >= $1 and created_at < $1::timestamptz + interval '1 second' * $2::float8
      group by floor(extract(epoch from created_at - $1) * ${slices} / $2::float8)
      order by floor(extract(epoch from created_at - $1) * ${slices} / $2::float8)`,
    [since, soakSeconds],
  );
  return rows;
}
