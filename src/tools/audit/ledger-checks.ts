import type { Statement } from '../../platform/database.ts';
import { formatAmount } from '../../platform/money.ts';
import type { AuditDatabase, TextRow } from './audit-database.ts';
import type { Findings } from './findings.ts';

/** The invariants of accounts, ledger and top-ups: all in the payments database. */

const totalsStatement: Statement = {
  name: 'audit_ledger_totals',
  text: `
    select (select count(*) from payments.accounts) as accounts,
           (select coalesce(sum(balance), 0) from payments.accounts) as balances,
           (select coalesce(sum(amount), 0) from payments.topups) as topups,
           count(*) as entries,
           coalesce(-sum(amount) filter (where amount < 0), 0) as debits
      from payments.entries`,
};

/** How much there is in all; sums in minor units. */
export interface LedgerTotals {
  accounts: number;
  entries: number;
  topups: bigint;
  balances: bigint;
  debits: bigint;
}

async function ledgerTotals(payments: AuditDatabase): Promise<LedgerTotals> {
  const [row = {} as TextRow] = await payments.rows(totalsStatement);
  return {
    accounts: Number(row['accounts']),
    entries: Number(row['entries']),
    topups: BigInt(row['topups'] ?? 0),
    balances: BigInt(row['balances'] ?? 0),
    debits: BigInt(row['debits'] ?? 0),
  };
}

// numeric: a sum of figures that were tampered with must not overflow.
const accountsStatement: Statement = {
  name: 'audit_accounts',
  text: `
    with ledger as (
      select user_id, sum(amount) as sum, max(seq) as last from payments.entries group by user_id
    )
    select user_id, balance, entry_count, coalesce(sum, 0) as sum, coalesce(last, 0) as last
      from payments.accounts full join ledger using (user_id)
     where balance is distinct from coalesce(sum, 0) or balance < 0
        or entry_count is distinct from coalesce(last, 0)`,
};

async function checkAccounts(payments: AuditDatabase, findings: Findings): Promise<void> {
  type Row = Record<'sum' | 'last' | 'user_id', string> & Record<'balance' | 'entry_count', string | null>;
  for await (const rows of payments.pages<Row>(accountsStatement)) {
    for (const { user_id, balance, entry_count, sum, last } of rows) {
      if (balance === null) {
        findings.add('balance-equals-entries', user_id, `no account, entries sum to ${money(sum)}`);
        continue;
      }
      if (balance !== sum) {
        const detail = `balance ${money(balance)}, entries sum to ${money(sum)}`;
        findings.add('balance-equals-entries', user_id, detail);
      }
      if (entry_count !== last) {
        const detail = `the account counts ${entry_count} entries, the last is number ${last}`;
        findings.add('entries-without-hole', user_id, detail);
      }
      if (BigInt(balance) < 0n) findings.add('balance-never-negative', user_id, `balance ${money(balance)}`);
    }
  }
}

const entriesStatement: Statement = {
  name: 'audit_entries',
  text: `
    with ledger as (
      select user_id, seq, amount, balance, num_nonnulls(topup_id, order_id) as sources, lag(seq, 1, 0::bigint) over account as seq_before,
             lag(balance, 1, 0::bigint) over account as balance_before
        from payments.entries window account as (partition by user_id order by seq)
    )
    select * from ledger
     where seq <> seq_before + 1 or balance < 0 or sources <> 1 or balance <> balance_before::numeric + amount`,
};

async function checkEntries(payments: AuditDatabase, findings: Findings): Promise<void> {
  type Row = Record<
    'user_id' | 'seq' | 'amount' | 'balance' | 'sources' | 'seq_before' | 'balance_before',
    string
  >;
  for await (const rows of payments.pages<Row>(entriesStatement)) {
    for (const { user_id, seq, amount, balance, sources, seq_before, balance_before } of rows) {
      if (BigInt(seq) !== BigInt(seq_before) + 1n) {
        const before = seq_before === '0' ? 'the beginning' : `entry ${seq_before}`;
        findings.add('entries-without-hole', user_id, `entry ${seq} follows ${before}`);
      } else if (BigInt(balance) !== BigInt(balance_before) + BigInt(amount)) {
        const detail = `entry ${seq} of ${money(amount)} makes ${money(balance_before)} into ${money(balance)}`;
        findings.add('entry-follows-entry', user_id, detail);
      }
      if (sources !== '1') {
        const source = sources === '0' ? 'neither a top-up nor an order' : 'a top-up and an order';
        findings.add('entry-has-source', user_id, `entry ${seq} of ${money(amount)} comes from ${source}`);
      }
      if (BigInt(balance) < 0n) {
        findings.add('balance-never-negative', user_id, `balance ${money(balance)} after entry ${seq}`);
      }
    }
  }
}

const topupsStatement: Statement = {
  name: 'audit_topups',
  text: `
    with credits as (
      select topup_id as id, count(*) as entries, sum(amount) as amount,
             min(user_id) as user_id, max(user_id) as other_user_id
        from payments.entries where topup_id is not null group by topup_id
    )
    select id, coalesce(topups.user_id, credits.user_id) as user_id, topups.amount as amount,
           coalesce(entries, 0) as entries, coalesce(credits.amount, 0) as credited,
           coalesce(credits.other_user_id, 'nobody') as credited_user_id
      from payments.topups full join credits using (id)
     where entries is distinct from 1 or topups.amount is distinct from credits.amount
        or topups.user_id is distinct from credits.user_id`,
};

async function checkTopups(payments: AuditDatabase, findings: Findings): Promise<void> {
  type Row = Record<'id' | 'user_id' | 'entries' | 'credited' | 'credited_user_id', string> & {
    amount: string | null;
  };
  for await (const rows of payments.pages<Row>(topupsStatement)) {
    for (const { id, user_id, amount, entries, credited, credited_user_id } of rows) {
      const topup = amount === null ? `unknown top-up ${id}` : `top-up ${id} of ${money(amount)}`;
      const detail = `${topup} is credited ${entries} times with ${money(credited)} to ${credited_user_id}`;
      findings.add('money-conserved', user_id, detail);
    }
  }
}

const topupKeysStatement: Statement = {
  name: 'audit_topup_keys',
  text: `
    select user_id, idempotency_key, count(*), min(id::text) as first, max(id::text) as last
      from payments.topups where idempotency_key is not null
     group by user_id, idempotency_key having count(*) > 1`,
};

async function findRepeatedKeys(payments: AuditDatabase, findings: Findings): Promise<void> {
  type Row = { user_id: string; idempotency_key: string; count: string; first: string; last: string };
  for await (const rows of payments.pages<Row>(topupKeysStatement)) {
    for (const { user_id, idempotency_key, count, first, last } of rows) {
      const detail = `key ${idempotency_key} made ${count} top-ups, such as ${first} and ${last}`;
      findings.add('one-topup-per-key', user_id, detail);
    }
  }
}

/** Checks accounts, ledger and top-ups in the snapshot of payments; answers the totals. */
export async function checkLedger(payments: AuditDatabase, findings: Findings): Promise<LedgerTotals> {
  const totals = await ledgerTotals(payments);
  await checkAccounts(payments, findings);
  await checkEntries(payments, findings);
  await checkTopups(payments, findings);
  await findRepeatedKeys(payments, findings);
  const { topups, balances, debits } = totals;
  if (topups !== balances + debits) {
    const detail = `topped up ${formatAmount(topups)}, balances ${formatAmount(balances)} and debits ${formatAmount(debits)}`;
    findings.add('money-conserved', 'all', detail);
  }
  return totals;
}

/** Minor units as Postgres writes them, as a decimal string. */
export function money(minorUnits: string): string {
  return formatAmount(BigInt(minorUnits));
}
