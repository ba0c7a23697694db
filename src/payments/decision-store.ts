import type { Statement, Transaction } from '../platform/database.ts';
import type { Decision } from './decisions.ts';

/** The SQL of decisions. */

const findDecisionsStatement: Statement = {
  name: 'decisions_find',
  text: `
    select order_id, user_id, amount, outcome, reason from payments.decisions
     where order_id = any($1::uuid[])`,
};
// No ON CONFLICT: should two transactions decide the same order after all, the second fails as a whole,
// is run again, and finds the decision of the first.
const insertDecisionsStatement: Statement = {
  name: 'decisions_insert',
  text: `
    insert into payments.decisions (order_id, user_id, amount, outcome, reason)
    select * from unnest($1::uuid[], $2::text[], $3::bigint[], $4::text[], $5::text[])`,
};

/** The decisions about these orders. Read them after the accounts are locked. */
export async function findDecisions(tx: Transaction, orderIds: readonly string[]): Promise<Decision[]> {
  const rows = await tx.query<{
    order_id: string;
    user_id: string;
    amount: bigint;
    outcome: Decision['outcome'];
    reason: Decision['reason'];
  }>(findDecisionsStatement, [orderIds]);
  return rows.map(
    ({ order_id, user_id, amount, outcome, reason }) =>
      ({ orderId: order_id, userId: user_id, amount, outcome, reason }) as Decision,
  );
}

/** Records decisions, for ever. Sent, not waited for. */
export function insertDecisions(tx: Transaction, decisions: readonly Decision[]): void {
  if (decisions.length === 0) return;
  tx.send(insertDecisionsStatement, [
    decisions.map(({ orderId }) => orderId),
    decisions.map(({ userId }) => userId),
    decisions.map(({ amount }) => amount),
    decisions.map(({ outcome }) => outcome),
    decisions.map(({ reason }) => reason),
  ]);
}
