import type { OrderStatus } from '../../orders/order.ts';
import { orderStatuses, readOrders } from '../orders.ts';
import { type Choice, choose } from '../terminal/ask.ts';
import { formatOrders } from '../terminal/orders-text.ts';
import { pickOrder } from './pick-order.ts';
import type { Session } from './session.ts';

/** Lines a page leaves to the questions around it. */
const questionRows = 9;
const pageRowsMin = 5;
const pageRowsMax = 50;

type Step = 'next' | 'first' | 'look' | 'filter' | 'back';

/** Pages through the user's orders, of one status or of all, until the person goes back. */
export async function browseOrders(session: Session): Promise<void> {
  let status: OrderStatus | undefined;
  let cursor: string | undefined;
  for (;;) {
    const { client, user: userId } = session;
    const rows = (process.stdout.rows ?? 24) - questionRows;
    const limit = Math.min(Math.max(rows, pageRowsMin), pageRowsMax);
    const page = await readOrders(client, { userId, status, cursor, limit });
    if (page.rows.length === 0) session.say(`User ${userId} has no ${status ? `${status} ` : ''}orders.`);
    else client.terminal.result(page.rows, () => formatOrders(page.rows, client.terminal));
    session.teach([
      ...['orders', userId],
      ...(status === undefined ? [] : ['--status', status]),
      ...['--limit', String(limit)],
      ...(cursor === undefined ? [] : ['--cursor', cursor]),
    ]);
    const steps: Choice<Step>[] = [
      ...(page.next_cursor === null ? [] : [{ name: 'Next page', value: 'next' as const }]),
      ...(cursor === undefined ? [] : [{ name: 'First page', value: 'first' as const }]),
      ...(page.rows.length === 0 ? [] : [{ name: 'Look at one of these', value: 'look' as const }]),
      { name: `Show only some (now: ${status ?? 'all'})`, value: 'filter' },
      { name: 'Back', value: 'back' },
    ];
    const step = await choose('Orders:', steps, session.asking);
    if (step === 'back') return;
    if (step === 'next') cursor = page.next_cursor ?? undefined;
    if (step === 'first') cursor = undefined;
    if (step === 'filter') {
      status = await pickStatus(session, status);
      cursor = undefined;
    }
    if (step === 'look') {
      const id = await pickOrder(session, page.rows);
      if (id !== undefined) await session.perform(['order', id]);
    }
  }
}

async function pickStatus(session: Session, now: OrderStatus | undefined): Promise<OrderStatus | undefined> {
  const choices: Choice<OrderStatus | 'all'>[] = [
    { name: 'All', value: 'all' },
    ...orderStatuses.map((status) => ({ name: status, value: status })),
  ];
  const chosen = await choose<OrderStatus | 'all'>('Status:', choices, {
    ...session.asking,
    initial: now ?? 'all',
  });
  return chosen === 'all' ? undefined : chosen;
}
