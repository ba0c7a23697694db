import type { DatabaseUrls } from '../../system/migrate.ts';
import { AuditDatabase } from './audit-database.ts';
import { addJudged, type Pair } from './compare.ts';
import { type DecisionRow, findDecisions } from './decision-checks.ts';
import type { Findings } from './findings.ts';
import { findOrders } from './orders-checks.ts';

/** Pairs looked at again together. */
const batchSize = 1_000;
/**
 * Pairs of an order and a decision looked at again; further ones are judged as they were. Orders were read
 * first, so no reading between the two makes these disagree.
 */
const completeMax = 10_000;

/**
 * Looks again, with fresh reads, at what did not agree between two snapshots: orders that came after the
 * snapshot of orders and were decided before that of payments are no violation. What still does not agree
 * is one, for what was compared never changes once it is there.
 */
export class SecondLook {
  readonly #urls: DatabaseUrls;
  readonly #findings: Findings;
  #databases: Promise<{ orders: AuditDatabase; payments: AuditDatabase }> | undefined;
  #pairs: Pair[] = [];
  #complete = 0;
  /** Sum of the paid decisions about orders that came after the snapshot of orders, in minor units. */
  paidLater = 0n;

  /** @param urls of the auditor */
  constructor(urls: DatabaseUrls, findings: Findings) {
    this.#urls = urls;
    this.#findings = findings;
  }

  /** Takes a pair; answers a promise only when it looks at those gathered, for there may be a million. */
  add(pair: Pair): Promise<void> | undefined {
    if (pair.order !== undefined && this.#complete === completeMax) {
      addJudged(this.#findings, [pair]);
      return undefined;
    }
    if (pair.order !== undefined) this.#complete += 1;
    this.#pairs.push(pair);
    return this.#pairs.length === batchSize ? this.flush() : undefined;
  }

  /** Looks at what was added and not yet looked at. */
  async flush(): Promise<void> {
    if (this.#pairs.length === 0) return;
    const pairs = this.#pairs;
    this.#pairs = [];
    this.#databases ??= this.#open();
    const { orders, payments } = await this.#databases;
    const ids = [...new Set(pairs.map(({ id }) => id))];
    // Orders first here as well: whatever is settled in them was decided by the time payments is read.
    const ordersNow = new Map((await findOrders(orders, ids)).map((order) => [order.id, order]));
    const decisionsNow = Map.groupBy(await findDecisions(payments, ids), ({ order_id }) => order_id);
    for (const before of pairs) {
      const order = ordersNow.get(before.id);
      const wasFinal = before.order !== undefined && before.order.status !== 'NEW';
      if (wasFinal && order?.status !== before.order?.status) {
        const detail = `was ${before.order?.status}, is ${order?.status ?? 'gone'}`;
        this.#findings.add('final-status-never-changes', before.id, detail);
      }
      if (before.order === undefined && order !== undefined && before.decision?.outcome === 'paid') {
        this.paidLater += BigInt(before.decision.amount);
      }
    }
    const pairsNow = ids.flatMap((id) => {
      const decisions: (DecisionRow | undefined)[] = decisionsNow.get(id) ?? [undefined];
      return decisions.map((decision) => ({ id, order: ordersNow.get(id), decision }));
    });
    addJudged(this.#findings, pairsNow);
  }

  async #open() {
    const orders = await AuditDatabase.open('orders', this.#urls.orders);
    const payments = await AuditDatabase.open('payments', this.#urls.payments);
    return { orders, payments };
  }

  async close(): Promise<void> {
    const databases = await this.#databases?.catch(() => undefined);
    await Promise.all([databases?.orders.close(), databases?.payments.close()]);
  }
}
