import type { Queryable, Statement, Transaction } from '../platform/database.ts';
import type { Account, Entry, NewEntry } from './account.ts';

/** The SQL of accounts and their ledger. */

const insertAccountStatement: Statement = {
  name: 'accounts_insert',
  text: `
    insert into payments.accounts (user_id, idempotency_key) values ($1, $2)
    on conflict do nothing returning created_at`,
};

/** Creates an account, empty. Undefined when the user has one, or the idempotency key was used. */
export async function insertAccount(
  db: Queryable,
  userId: string,
  idempotencyKey: string | undefined,
): Promise<Date | undefined> {
  const values = [userId, idempotencyKey ?? null];
  const [row] = await db.query<{ created_at: Date }>(insertAccountStatement, values);
  return row?.created_at;
}

// In the order of keys, by their unique index. SKIP LOCKED: a hot account is taken later; whoever locks
// accounts in the order of user ids is never waited for, so there is no deadlock.
const pruneAccountKeysStatement: Statement = {
  name: 'accounts_prune_keys',
  text: `
    with examined as materialized (
      select idempotency_key as key, user_id from payments.accounts
       where idempotency_key > $1 order by idempotency_key limit $3
    ), due as materialized (
      select user_id from payments.accounts
       where user_id in (select user_id from examined)
         and created_at < now() - interval '1 second' * $2::int
         for update skip locked
    ), pruned as (
      update payments.accounts set idempotency_key = null from due
       where accounts.user_id = due.user_id returning accounts.user_id
    )
    select (select count(*)::int from examined) as examined, (select count(*)::int from pruned) as pruned,
           (select key from examined order by key desc limit 1) as last`,
};

/** Removes the keys of accounts that are old enough among the next `limit` by key, in one statement. */
export async function pruneAccountKeys(
  db: Queryable,
  walk: { after: string; olderThanSeconds: number; limit: number },
): Promise<{ examined: number; pruned: number; last: string | null }> {
  const [row] = await db.query<{ examined: number; pruned: number; last: string | null }>(
    pruneAccountKeysStatement,
    [walk.after, walk.olderThanSeconds, walk.limit],
  );
  return row ?? { examined: 0, pruned: 0, last: null };
}

/** An account with what only its reader needs. */
export interface StoredAccount extends Account {
  idempotencyKey: string | null;
  createdAt: Date;
}

interface AccountRow {
  user_id: string;
  balance: bigint;
  entry_count: bigint;
  idempotency_key: string | null;
  created_at: Date;
}

const findAccountsStatement: Statement = {
  name: 'accounts_find',
  text: `
    select user_id, balance, entry_count, idempotency_key, created_at
      from payments.accounts where user_id = $1 or idempotency_key = $2`,
};

/** The account of a user and, where a key is given, the one created under it: none, one or two. */
export async function findAccounts(
  db: Queryable,
  userId: string,
  idempotencyKey?: string,
): Promise<StoredAccount[]> {
  const rows = await db.query<AccountRow>(findAccountsStatement, [userId, idempotencyKey ?? null]);
  return rows.map((row) => ({
    userId: row.user_id,
    balance: row.balance,
    entryCount: row.entry_count,
    idempotencyKey: row.idempotency_key,
    createdAt: row.created_at,
  }));
}

// In the order of user ids: two batches with common accounts wait for each other instead of deadlocking.
// NO KEY: references to the account from other transactions' entries need not wait.
const lockAccountsStatement: Statement = {
  name: 'accounts_lock',
  text: `
    select user_id, balance, entry_count from payments.accounts
     where user_id = any($1::text[]) order by user_id for no key update`,
};
// SKIP LOCKED: whoever holds one account, for however long, must not hold back the others of a batch.
const lockFreeAccountsStatement: Statement = {
  name: 'accounts_lock_free',
  text: `
    select user_id, balance, entry_count from payments.accounts
     where user_id = any($1::text[]) for no key update skip locked`,
};
const findUsersStatement: Statement = {
  name: 'accounts_find_users',
  text: 'select user_id from payments.accounts where user_id = any($1::text[])',
};

/**
 * Locks the accounts of these users until the transaction ends, and waits for those that somebody else
 * holds. A user without an account is missing.
 */
export async function lockAccounts(tx: Transaction, userIds: Iterable<string>): Promise<Account[]> {
  const rows = await tx.query<AccountRow>(lockAccountsStatement, [[...new Set(userIds)]]);
  return rows.map(toAccount);
}

/** Accounts locked, and the users whose account somebody else holds. */
export interface FreeAccounts {
  accounts: Account[];
  held: ReadonlySet<string>;
}

/** The same without waiting. A user without an account is neither among the accounts nor held. */
export async function lockFreeAccounts(tx: Transaction, userIds: Iterable<string>): Promise<FreeAccounts> {
  const wanted = new Set(userIds);
  const rows = await tx.query<AccountRow>(lockFreeAccountsStatement, [[...wanted]]);
  for (const { user_id } of rows) wanted.delete(user_id);
  // Usually everybody has an account and it is free.
  const held = wanted.size === 0 ? [] : await tx.query<AccountRow>(findUsersStatement, [[...wanted]]);
  return { accounts: rows.map(toAccount), held: new Set(held.map(({ user_id }) => user_id)) };
}

function toAccount(row: AccountRow): Account {
  return { userId: row.user_id, balance: row.balance, entryCount: row.entry_count };
}

const updateAccountsStatement: Statement = {
  name: 'accounts_update',
  text: `
    update payments.accounts set balance = input.balance, entry_count = input.entry_count
      from unnest($1::text[], $2::bigint[], $3::bigint[]) as input (user_id, balance, entry_count)
     where accounts.user_id = input.user_id`,
};
const insertEntriesStatement: Statement = {
  name: 'entries_insert',
  text: `
    insert into payments.entries (user_id, seq, amount, balance, topup_id, order_id)
    select * from unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::uuid[], $6::uuid[])`,
};

/** Writes accounts as they are after their movements, and the entries that record them. Sent, not waited for. */
export function writeMovements(
  tx: Transaction,
  accounts: readonly Account[],
  entries: readonly NewEntry[],
): void {
  if (entries.length === 0) return;
  tx.send(updateAccountsStatement, [
    accounts.map(({ userId }) => userId),
    accounts.map(({ balance }) => balance),
    accounts.map(({ entryCount }) => entryCount),
  ]);
  tx.send(insertEntriesStatement, [
    entries.map(({ userId }) => userId),
    entries.map(({ seq }) => seq),
    entries.map(({ amount }) => amount),
    entries.map(({ balance }) => balance),
    entries.map(({ topupId }) => topupId),
    entries.map(({ orderId }) => orderId),
  ]);
}

const listEntriesStatement: Statement = {
  name: 'entries_list',
  text: `
    select user_id, seq, amount, balance, topup_id, order_id, created_at from payments.entries
     where user_id = $1 and seq < $2 order by seq desc limit $3`,
};

/** A page of an account's entries, newest first, before a seq. */
export async function listEntries(
  db: Queryable,
  page: { userId: string; before: bigint; limit: number },
): Promise<Entry[]> {
  const rows = await db.query<
    Pick<AccountRow, 'user_id' | 'balance' | 'created_at'> & {
      seq: bigint;
      amount: bigint;
      topup_id: string | null;
      order_id: string | null;
    }
  >(listEntriesStatement, [page.userId, page.before.toString(), page.limit]);
  return rows.map((row) => ({
    userId: row.user_id,
    seq: row.seq,
    amount: row.amount,
    balance: row.balance,
    topupId: row.topup_id,
    orderId: row.order_id,
    createdAt: row.created_at,
  }));
}
