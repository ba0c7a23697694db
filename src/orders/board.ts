import type { OrdersReport, ReportedOrder } from '../platform/board-report.ts';
import type { Database } from '../platform/database.ts';
import { findNewest, readSettleTimes } from './board-store.ts';
import { isFinal, type Order, viewOrder } from './order.ts';
import { findPublished } from './publication-store.ts';
import { findOrders } from './store.ts';

/** New orders told at once: as many as the board shows. */
const newestMax = 8;

/** What the board is told of orders: the newest and those it asks for, newest first, and how long orders take. */
export async function reportOrders(
  database: Database,
  ids: readonly string[],
): Promise<Pick<OrdersReport, 'orders' | 'settle_ms'>> {
  const [newest, settleTimes] = await Promise.all([
    findNewest(database, newestMax),
    readSettleTimes(database),
  ]);
  const orders = await findOrders(database, [...new Set([...newest, ...ids])]);
  const open = orders.filter((order) => !isFinal(order)).map(({ id }) => id);
  const published = open.length === 0 ? new Map() : await findPublished(database, open);
  const reported = orders.map((order) => view(order, isFinal(order) || published.has(order.id)));
  return { orders: reported.sort((a, b) => (a.id < b.id ? 1 : -1)), settle_ms: settleTimes };
}

function view(order: Order, published: boolean): ReportedOrder {
  // A description is the user's own business.
  const { description: _description, ...seen } = viewOrder(order);
  return { ...seen, published };
}
