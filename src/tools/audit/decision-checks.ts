import type { Statement } from '../../platform/database.ts';
import type { AuditDatabase, TextRow } from './audit-database.ts';
import type { Findings, Invariant } from './findings.ts';
import { money } from './ledger-checks.ts';

/** The invariants between decisions and debits: in the payments database. */

/** A decision as the audit compares it; `amount` in minor units. */
export interface DecisionRow extends TextRow {
  order_id: string;
  user_id: string;
  amount: string;
  outcome: string;
  reason: string | null;
}

/** All decisions, by order, for the comparison with the orders. */
export const decisionsByOrder: Statement = {
  name: 'audit_decisions',
  text: 'select order_id, user_id, amount, outcome, reason from payments.decisions order by order_id',
};

const findDecisionsStatement: Statement = {
  name: 'audit_decisions_find',
  text: `
    select order_id, user_id, amount, outcome, reason from payments.decisions
     where order_id = any($1::uuid[])`,
};

/** The decisions about these orders. */
export function findDecisions(payments: AuditDatabase, ids: readonly string[]): Promise<DecisionRow[]> {
  return payments.rows<DecisionRow>(findDecisionsStatement, [ids]);
}

// What is in order is one debit as decided, or none: everything else is looked at.
const debitsStatement: Statement = {
  name: 'audit_debits',
  text: `
    with debits as (
      select order_id, count(*) as entries, -sum(amount) as amount,
             min(user_id) as user_id, max(user_id) as other_user_id
        from payments.entries where order_id is not null group by order_id
    )
    select order_id, outcome, decisions.user_id, decisions.amount, coalesce(entries, 0) as entries,
           debits.amount as debited, debits.other_user_id as debited_user_id
      from payments.decisions full join debits using (order_id)
     where not coalesce(
       outcome = 'failed' and entries is null
         or outcome = 'paid' and entries = 1 and debits.amount = decisions.amount
            and debits.user_id = decisions.user_id, false)`,
};

interface DebitRow extends TextRow {
  order_id: string;
  outcome: string | null;
  user_id: string | null;
  amount: string | null;
  entries: string;
  debited: string | null;
  debited_user_id: string | null;
}

/** Checks every debit against its decision, and every decision against its debit, in the snapshot of payments. */
export async function checkDebits(payments: AuditDatabase, findings: Findings): Promise<void> {
  for await (const rows of payments.pages<DebitRow>(debitsStatement)) {
    for (const row of rows) {
      for (const [invariant, detail] of judgeDebit(row)) findings.add(invariant, row.order_id, detail);
    }
  }
}

/** What is wrong with the debits of one order. Pure. */
export function judgeDebit(row: DebitRow): [Invariant, string][] {
  const { outcome, user_id, amount, entries } = row;
  const debited = `${money(row.debited ?? '0')} of ${row.debited_user_id}`;
  const found: [Invariant, string][] = [];
  if (BigInt(entries) > 1n) found.push(['one-debit-per-order', `${entries} debits, in all ${debited}`]);
  if (outcome === null || user_id === null || amount === null) {
    found.push(['debit-has-decision', `debited ${debited}, never decided`]);
    return found;
  }
  const decided = `${money(amount)} of ${user_id}`;
  if (outcome === 'failed') found.push(['failed-has-no-debit', `decided as failed, debited ${debited}`]);
  else if (entries === '0') found.push(['paid-has-debit', `decided as paid, ${decided}, never debited`]);
  else if (entries === '1') found.push(['debit-equals-decision', `decided ${decided}, debited ${debited}`]);
  return found;
}
