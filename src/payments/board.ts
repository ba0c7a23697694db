import type { PaymentsReport } from '../platform/board-report.ts';
import type { Database } from '../platform/database.ts';
import { findProgress } from './progress-store.ts';

/** What the board is told of payments: how far those of the orders it asks for have come. */
export async function reportPayments(
  database: Database,
  orderIds: readonly string[],
): Promise<Pick<PaymentsReport, 'payments'>> {
  const rows = orderIds.length === 0 ? [] : await findProgress(database, orderIds);
  const payments = rows.map(({ order_id, received_at, decided_at, published }) => ({
    order_id,
    received_at: received_at?.toISOString() ?? null,
    decided_at: decided_at?.toISOString() ?? null,
    published,
  }));
  return { payments };
}
