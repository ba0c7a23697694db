import { balanceMax, formatAmount } from '../platform/money.ts';

/** An account as the rules see it. `balance` in minor units, `entryCount` is the seq of its newest entry. */
export interface Account {
  readonly userId: string;
  readonly balance: bigint;
  readonly entryCount: bigint;
}

/** A ledger entry to be written: signed amount, the balance after it, the top-up or order it comes from. */
export interface NewEntry {
  userId: string;
  seq: bigint;
  amount: bigint;
  balance: bigint;
  topupId: string | null;
  orderId: string | null;
}

/** A ledger entry that is there. */
export interface Entry extends NewEntry {
  createdAt: Date;
}

/** What an account is after a movement, and the entry that records it. */
export interface Movement {
  account: Account;
  entry: NewEntry;
}

/** Puts money in. Undefined when the account cannot hold that much. */
export function credit(account: Account, amount: bigint, topupId: string): Movement | undefined {
  if (account.balance + amount > balanceMax) return undefined;
  return move(account, amount, { topupId, orderId: null });
}

/** Takes money out for an order. Undefined when there is too little. */
export function debit(account: Account, amount: bigint, orderId: string): Movement | undefined {
  if (account.balance < amount) return undefined;
  return move(account, -amount, { topupId: null, orderId });
}

function move(account: Account, amount: bigint, source: Pick<NewEntry, 'topupId' | 'orderId'>): Movement {
  const { userId } = account;
  const balance = account.balance + amount;
  const seq = account.entryCount + 1n;
  return {
    account: { userId, balance, entryCount: seq },
    entry: { userId, seq, amount, balance, ...source },
  };
}

/** An account as clients see it. */
export interface AccountView {
  user_id: string;
  balance: string;
  created_at: string;
}

export function viewAccount(userId: string, balance: bigint, createdAt: Date): AccountView {
  return { user_id: userId, balance: formatAmount(balance), created_at: createdAt.toISOString() };
}

/** A ledger entry as clients see it. */
export interface EntryView {
  seq: number;
  kind: 'topup' | 'order';
  amount: string;
  balance: string;
  topup_id: string | null;
  order_id: string | null;
  created_at: string;
}

export function viewEntry(entry: Entry): EntryView {
  return {
    seq: Number(entry.seq),
    kind: entry.orderId === null ? 'topup' : 'order',
    amount: formatAmount(entry.amount),
    balance: formatAmount(entry.balance),
    topup_id: entry.topupId,
    order_id: entry.orderId,
    created_at: entry.createdAt.toISOString(),
  };
}
