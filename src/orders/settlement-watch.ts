import type { Database } from '../platform/database.ts';
import type { Logger } from '../platform/logging.ts';
import { isFinal, type Order } from './order.ts';
import { OrderWatch } from './order-watch.ts';
import { findOrders } from './store.ts';

/** How soon a settlement by another instance of this service is noticed. */
const pollMs = 200;

/** Lets requests wait for orders to become final. A settlement by this process wakes them at once. */
export class SettlementWatch extends OrderWatch<Order> {
  constructor({ database, log }: { database: Database; log: Logger }) {
    const find = async (ids: string[]) => {
      const orders = await findOrders(database, ids);
      return new Map(orders.filter(isFinal).map((order) => [order.id, order]));
    };
    super({ name: 'settlement-watch', find, pollMs, log });
  }

  /** Resolves with the order when it is final; undefined when `signal` aborts first or the service stops. */
  untilFinal(id: string, signal: AbortSignal): Promise<Order | undefined> {
    return this.until(id, signal);
  }

  /** Says that this process has settled these orders. */
  settled(ids: ReadonlySet<string>): void {
    this.lookAt(ids);
  }
}
