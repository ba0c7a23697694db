import type { Statement } from '../../platform/database.ts';
import type { DatabaseUrls } from '../../system/migrate.ts';
import { AuditDatabase, type TextRow } from '../audit/audit-database.ts';
import { Latencies } from './latencies.ts';
import { type SettlementReader, type Settlements, waitingMax } from './settlements.ts';
import { Timeline } from './timeline.ts';

const accountStatement: Statement = {
  name: 'load_account',
  text: 'select count(*) from payments.accounts where user_id = $1',
};

const clockStatement: Statement = {
  name: 'load_clock',
  text: 'select extract(epoch from clock_timestamp()) as seconds',
};

const sampleStatement: Statement = {
  name: 'load_sample',
  text: `
    select id, extract(epoch from settled_at - created_at) * 1000 as ms
      from orders.orders where id = any($1::uuid[]) and settled_at is not null`,
};

const waitingStatement: Statement = {
  name: 'load_waiting',
  text: `
    select count(*) from (
      select from orders.waiting join orders.orders on orders.id = waiting.order_id
       where orders.user_id = any($1::text[]) limit $2) as of_run`,
};

// Grouped by slice of time and by latency in steps of half a percent, so that a million orders become some
// thousand rows; of each group the longest latency stands for all.
const settledStatement: Statement = {
  name: 'load_settled',
  text: `
    with settled as (
      select status, extract(epoch from settled_at)::float8 - $2::float8 as seconds,
             greatest(extract(epoch from settled_at - created_at)::float8 * 1000, 0.001) as ms
        from orders.orders where user_id = any($1::text[]) and settled_at is not null
    )
    select status, floor(seconds / $3::float8) * $3::float8 as seconds, max(seconds) as last,
           max(ms) as ms, count(*)
      from settled group by status, floor(seconds / $3::float8), round(ln(ms) * 200)`,
};

const storedStatement: Statement = {
  name: 'load_stored',
  text: `
    select count(*), coalesce(extract(epoch from max(created_at)), $2::numeric) as last
      from orders.orders where user_id = any($1::text[])`,
};

/** Settlements as the orders database has them, read by the auditor's role with statements on sets. */
export class DatabaseSettlements implements SettlementReader {
  readonly source = 'databases';
  readonly #url: string;
  /** Opened when it is needed; a connection that broke is not used again. */
  #orders: AuditDatabase | undefined;
  readonly #users: readonly string[];
  #startedAt = '0';

  private constructor(url: string, users: readonly string[]) {
    this.#url = url;
    this.#users = users;
  }

  /**
   * Connects; undefined when these are not the databases of the gateway that created these users.
   * @param urls of the auditor
   * @throws CodedError `unavailable`
   */
  static async open(urls: DatabaseUrls, users: readonly string[]): Promise<DatabaseSettlements | undefined> {
    const payments = await AuditDatabase.open('payments', urls.payments);
    try {
      const [row] = await payments.rows(accountStatement, [users[0]]);
      if (row?.['count'] !== '1') return undefined;
    } finally {
      await payments.close();
    }
    return new DatabaseSettlements(urls.orders, users);
  }

  async begin(): Promise<void> {
    const [row] = await this.#rows(clockStatement);
    this.#startedAt = row?.['seconds'] ?? '0';
  }

  async sample(orderIds: readonly string[]): Promise<Map<string, number>> {
    const rows = await this.#rows(sampleStatement, [orderIds]);
    return new Map(rows.map(({ id, ms }) => [id ?? '', Number(ms)]));
  }

  async waiting(): Promise<number> {
    const [row] = await this.#rows(waitingStatement, [this.#users, waitingMax]);
    return Number(row?.['count']);
  }

  async read(): Promise<Settlements> {
    const [stored] = await this.#rows(storedStatement, [this.#users, this.#startedAt]);
    const timeline = new Timeline();
    const rows = await this.#rows(settledStatement, [this.#users, this.#startedAt, timeline.sliceSeconds]);
    return {
      stored: Number(stored?.['count']),
      lastCreatedSeconds: Number(stored?.['last']) - Number(this.#startedAt),
      ...summed(rows, timeline),
    };
  }

  async close(): Promise<void> {
    await this.#orders?.close();
    this.#orders = undefined;
  }

  async #rows(statement: Statement, values: unknown[] = []): Promise<TextRow[]> {
    this.#orders ??= await AuditDatabase.open('orders', this.#url);
    try {
      return await this.#orders.rows(statement, values);
    } catch (error) {
      await this.close();
      throw error;
    }
  }
}

function summed(rows: readonly TextRow[], timeline: Timeline) {
  const latencies = new Latencies();
  const outcomes = new Map<string, number>();
  let lastSettledSeconds = 0;
  for (const { status, seconds, last, ms, count } of rows) {
    const times = Number(count);
    latencies.record(Number(ms), times);
    timeline.record(Number(seconds), Number(ms), times);
    outcomes.set(status ?? '', (outcomes.get(status ?? '') ?? 0) + times);
    lastSettledSeconds = Math.max(lastSettledSeconds, Number(last));
  }
  return {
    finished: outcomes.get('FINISHED') ?? 0,
    canceled: outcomes.get('CANCELED') ?? 0,
    latencies,
    timeline,
    lastSettledSeconds,
  };
}
