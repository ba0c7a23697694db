import type { Queryable, Statement, Transaction } from '../platform/database.ts';
import type { Account, Entry, NewEntry } from './account.ts';
import type { Decision } from './decisions.ts';

/** The SQL of accounts, ledger and decisions; that of the inbox is in inbox-store.ts. */

/** Numbers beyond 2^53 must reach Postgres whole: in JSON they are strings. */
export function toJson(rows: readonly object[]): string {
  return JSON.stringify(rows, (_key, value) => (typeof value === 'bigint' ? value.toString() : value));
}

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
      from json_to_recordset($1) as input (user_id text, balance bigint, entry_count bigint)
     where accounts.user_id = input.user_id`,
};
const insertEntriesStatement: Statement = {
  name: 'entries_insert',
  text: `
    insert into payments.entries (user_id, seq, amount, balance, topup_id, order_id)
    select * from json_to_recordset($1)
      as input (user_id text, seq bigint, amount bigint, balance bigint, topup_id uuid, order_id uuid)`,
};

/** Writes accounts as they are after their movements, and the entries that record them. */
export async function writeMovements(
  tx: Transaction,
  accounts: readonly Account[],
  entries: readonly NewEntry[],
): Promise<void> {
  if (entries.length === 0) return;
  const accountRows = accounts.map(({ userId, balance, entryCount }) => ({
    user_id: userId,
    balance,
    entry_count: entryCount,
  }));
  const entryRows = entries.map(({ userId, seq, amount, balance, topupId, orderId }) => ({
    user_id: userId,
    seq,
    amount,
    balance,
    topup_id: topupId,
    order_id: orderId,
  }));
  await tx.query(updateAccountsStatement, [toJson(accountRows)]);
  await tx.query(insertEntriesStatement, [toJson(entryRows)]);
}

/** A top-up that is there: `balance` is the account's right after it. */
export interface Topup {
  id: string;
  userId: string;
  amount: bigint;
  balance: bigint;
  idempotencyKey: string | null;
  createdAt: Date;
}

interface TopupRow {
  id: string;
  user_id: string;
  amount: bigint;
  balance: bigint;
  idempotency_key: string | null;
  created_at: Date;
}

const insertTopupsStatement: Statement = {
  name: 'topups_insert',
  text: `
    insert into payments.topups (id, user_id, amount, balance, idempotency_key)
    select * from json_to_recordset($1)
      as input (id uuid, user_id text, amount bigint, balance bigint, idempotency_key text)
    returning id, user_id, amount, balance, idempotency_key, created_at`,
};

/** Records top-ups; their accounts are locked by the caller's transaction. */
export async function insertTopups(
  tx: Transaction,
  topups: readonly Omit<Topup, 'createdAt'>[],
): Promise<Topup[]> {
  if (topups.length === 0) return [];
  const rows = topups.map(({ id, userId, amount, balance, idempotencyKey }) => ({
    id,
    user_id: userId,
    amount,
    balance,
    idempotency_key: idempotencyKey,
  }));
  return (await tx.query<TopupRow>(insertTopupsStatement, [toJson(rows)])).map(toTopup);
}

const findTopupsStatement: Statement = {
  name: 'topups_find',
  text: `
    select id, user_id, amount, balance, idempotency_key, created_at from payments.topups
     where id = any($1::uuid[])
        or (user_id, idempotency_key) in (select * from unnest($2::text[], $3::text[]))`,
};

/** The top-ups with these ids, or under these users' idempotency keys. */
export async function findTopups(
  tx: Transaction,
  wanted: readonly { id: string; userId: string; idempotencyKey: string | undefined }[],
): Promise<Topup[]> {
  const keyed = wanted.filter(({ idempotencyKey }) => idempotencyKey !== undefined);
  const rows = await tx.query<TopupRow>(findTopupsStatement, [
    wanted.map(({ id }) => id),
    keyed.map(({ userId }) => userId),
    keyed.map(({ idempotencyKey }) => idempotencyKey),
  ]);
  return rows.map(toTopup);
}

function toTopup(row: TopupRow): Topup {
  return {
    id: row.id,
    userId: row.user_id,
    amount: row.amount,
    balance: row.balance,
    idempotencyKey: row.idempotency_key,
    createdAt: row.created_at,
  };
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
    select * from json_to_recordset($1)
      as input (order_id uuid, user_id text, amount bigint, outcome text, reason text)`,
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

/** Records decisions, for ever. */
export async function insertDecisions(tx: Transaction, decisions: readonly Decision[]): Promise<void> {
  if (decisions.length === 0) return;
  const rows = decisions.map(({ orderId, userId, amount, outcome, reason }) => ({
    order_id: orderId,
    user_id: userId,
    amount,
    outcome,
    reason,
  }));
  await tx.query(insertDecisionsStatement, [toJson(rows)]);
}
