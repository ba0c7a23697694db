import pg from 'pg';
import { freePort } from '../../../src/platform/free-port.ts';
import type { EphemeralDatabases } from '../../../src/system/ephemeral-databases.ts';
import type { DatabaseUrls } from '../../../src/system/migrate.ts';
import { databaseVariables } from '../../support/database-variables.ts';
import { eventually } from '../../support/eventually.ts';
import { createTestDatabases } from '../../support/test-server.ts';
import { testSecret } from '../../support/tokens.ts';
import { writeUntilAnswered } from './client.ts';
import { CrashingDaemon } from './crashing-daemon.ts';
import { type Asked, type Base, beClient, placeAbandonedJob, placeWork } from './scenario.ts';
import type { Boundary, Moment, Service } from './statements.ts';
import { judge } from './verdict.ts';

/** Longer than any boundary takes to be reached: a start, and what is done every five seconds. */
const reachedMsMax = 30_000;

/** Runs SQL as administrator; `bigint` arrives as text. */
export type Sql = <Row extends object = Record<string, unknown>>(
  database: keyof DatabaseUrls,
  text: string,
  values?: unknown[],
) => Promise<Row[]>;

/** One cell of the grid: die there, then. */
export interface Cell {
  id: string;
  boundary: Boundary;
  moment: Moment;
}

/**
 * A system of its own in which one service dies again and again, each time at another boundary, while the
 * other one lives. What a crash leaves behind comes back seconds later, during later crashes: it is judged
 * at the end, for all cells together.
 */
export class Lane {
  readonly #databases: EphemeralDatabases;
  readonly #pools = new Map<string, pg.Pool>();
  readonly #daemons: Record<Service, CrashingDaemon>;
  readonly #clients: Promise<void>[] = [];
  readonly #asked: Asked[] = [];
  readonly #wrong = new Map<string, string[]>();
  #base: Base = { userId: 'base', orderId: '', amount: 100n };

  private constructor(databases: EphemeralDatabases, daemons: Record<Service, CrashingDaemon>) {
    this.#databases = databases;
    this.#daemons = daemons;
  }

  /** @param environment of the daemons, without databases and ports */
  static async create(environment: NodeJS.ProcessEnv): Promise<Lane> {
    const databases = await createTestDatabases();
    const full = { ...environment, ...databaseVariables(databases.urls), TILLBOX_GATEWAY_SECRET: testSecret };
    const daemon = async (service: Service) => new CrashingDaemon(service, await freePort('127.0.0.1'), full);
    return new Lane(databases, { orders: await daemon('orders'), payments: await daemon('payments') });
  }

  /** The statements its daemons told, by service. */
  seen(service: Service): ReadonlySet<string> {
    return this.#daemons[service].seen;
  }

  readonly sql: Sql = async (database, text, values = []) => {
    const url = this.#databases.urls[database];
    let pool = this.#pools.get(url);
    if (pool === undefined) {
      pool = new pg.Pool({ connectionString: url, max: 1 });
      pool.on('error', () => {});
      this.#pools.set(url, pool);
    }
    return (await pool.query(text, values)).rows;
  };

  /** Dies at every cell, then judges. Answers what is wrong by cell, and under `lane`. */
  async run(cells: readonly Cell[]): Promise<Map<string, string[]>> {
    try {
      await this.#begin();
      for (const cell of cells) await this.#die(cell);
      for (const daemon of Object.values(this.#daemons)) if (!daemon.running) daemon.start();
      await Promise.all(this.#clients);
      const wrong = await judge(this.#databases.urls, this.sql, this.#asked);
      for (const [cell, sentences] of this.#wrong) wrong.get(cell)?.unshift(...sentences);
      return wrong;
    } finally {
      for (const daemon of Object.values(this.#daemons)) await daemon.kill();
      for (const pool of this.#pools.values()) await pool.end();
    }
  }

  async drop(): Promise<void> {
    await this.#databases.drop();
  }

  /** Gives the system its base: money, and an order that is final. */
  async #begin(): Promise<void> {
    // The sweep would mend what a crash has lost. Here it is for orders that the test itself loses.
    await this.sql(
      'orders',
      `alter table orders.waiting alter column requested_at set default now() + interval '1 hour'`,
    );
    const { orders, payments } = this.#daemons;
    orders.start();
    payments.start();
    await Promise.all([orders.ready(), payments.ready()]);
    const { userId } = this.#base;
    await writeUntilAnswered(`${payments.url}/accounts`, { user_id: userId }, 'base');
    await writeUntilAnswered(`${payments.url}/accounts/base/topups`, { amount: '1000000.00' }, 'base');
    const request = { user_id: userId, amount: '1.00' };
    const { body } = await writeUntilAnswered(`${orders.url}/orders`, request, 'base');
    this.#base = { ...this.#base, orderId: String(body['id']) };
    await eventually(async () => {
      const [row] = await this.sql<{ status: string }>('orders', 'select status from orders.orders');
      if (row?.status !== 'FINISHED') throw new Error(`the first order is ${row?.status}`);
    });
  }

  async #die({ id, boundary, moment }: Cell): Promise<void> {
    const daemon = this.#daemons[boundary.service];
    const other = this.#daemons[boundary.service === 'orders' ? 'payments' : 'orders'];
    const order = { at: boundary.label, moment, ...(boundary.refuse && { refuse: boundary.refuse }) };
    const asked: Asked = { cell: id, placed: [], answered: {} };
    this.#asked.push(asked);
    if (boundary.http) {
      // It dies of a request: everything before is done.
      if (!daemon.running) daemon.start();
      await daemon.ready();
      await Promise.all(this.#clients);
      await daemon.arm(order);
      asked.placed = await placeWork(this.sql, id, this.#base);
    } else {
      // It dies of work that lies there: the way for it is clear before it starts.
      await daemon.kill();
      // Whoever is first supervises for all.
      if (boundary.alone) await other.kill();
      asked.placed = await placeWork(this.sql, id, this.#base);
      if (boundary.alone) await placeAbandonedJob(this.sql);
      if (boundary.label.includes('fetch')) await this.#untilDelivered(boundary.service);
      daemon.start(order);
    }
    const urls = { orders: this.#daemons.orders.url, payments: this.#daemons.payments.url };
    this.#clients.push(beClient(urls, asked).catch((error) => this.#complain(id, String(error))));
    await this.#see(daemon, id, boundary.label, moment);
    if (!other.running) other.start();
  }

  /** Waits until the other service has published what the daemon is to fetch. */
  async #untilDelivered(service: Service): Promise<void> {
    const from = service === 'orders' ? 'payments' : 'orders';
    await eventually(async () => {
      const { length } = await this.sql(from, `select from ${from}.outbox`);
      if (length > 0) throw new Error(`${from} has not published ${length} messages`);
    });
  }

  /** Sees the daemon die of SIGKILL at that boundary and nowhere else. */
  async #see(daemon: CrashingDaemon, cell: string, label: string, moment: Moment): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), reachedMsMax);
    });
    const death = await Promise.race([daemon.death, late]);
    clearTimeout(timer);
    if (death === undefined) {
      this.#complain(cell, 'never reached');
      await daemon.kill();
    } else if (death.signal !== 'SIGKILL' || death.at !== label || death.moment !== moment) {
      const lines = daemon.lastLines.slice(-3).join('\n');
      this.#complain(cell, `died elsewhere: ${JSON.stringify(death)}\n${lines}`);
    }
  }

  #complain(cell: string, sentence: string): void {
    this.#wrong.set(cell, [...(this.#wrong.get(cell) ?? []), sentence]);
  }
}
