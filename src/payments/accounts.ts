import { createHash } from 'node:crypto';
import { type Database, repeatSafely } from '../platform/database.ts';
import { CodedError } from '../platform/errors.ts';
import type { Principal } from '../platform/identity/principal.ts';
import { accountNotFound } from '../platform/identity/refusals.ts';
import { findAccounts, insertAccount, type StoredAccount } from './account-store.ts';

/** What became of a request: when the account was created, and whether by an earlier request. */
export interface AccountCreated {
  createdAt: Date;
  replayed: boolean;
}

/**
 * Creates the account of a user, empty. The same idempotency key for the same user answers the account
 * that is there. Throws `account-exists`, or `idempotency-key-reused` for another user.
 */
export async function createAccount(
  database: Database,
  userId: string,
  idempotencyKey: string | undefined,
): Promise<AccountCreated> {
  let attempts = 0;
  return repeatSafely(async () => {
    attempts += 1;
    const createdAt = await insertAccount(database, userId, idempotencyKey);
    if (createdAt !== undefined) return { createdAt, replayed: false };
    const existing = await findAccounts(database, userId, idempotencyKey);
    const sameKey = existing.find((account) => account.idempotencyKey === idempotencyKey);
    if (idempotencyKey !== undefined && sameKey !== undefined) {
      if (sameKey.userId !== userId) throw keyReused();
      // On a second attempt it may well be this request's own first that created it.
      return { createdAt: sameKey.createdAt, replayed: attempts === 1 };
    }
    throw accountExists(userId);
  });
}

/**
 * What an idempotency key of an account is stored as. Those of operators are one space, because one of them may create
 * accounts for many users; a user's are that user's own, or anybody could use up a key that another will send.
 */
export function accountKey({ scope, subject }: Principal, key: string | undefined): string | undefined {
  if (key === undefined || scope === 'operator') return key;
  return `user:${createHash('sha256').update(`${subject}\n${key}`).digest('base64url')}`;
}

/** The account of a user. Throws `account-not-found`. */
export async function findAccount(database: Database, userId: string): Promise<StoredAccount> {
  const [account] = await findAccounts(database, userId);
  if (account === undefined) throw accountNotFound(userId);
  return account;
}

function accountExists(userId: string): CodedError {
  const detail = `User ${userId} has an account already. Top it up (tillbox topup ${userId} AMOUNT), or read its balance (tillbox balance ${userId}).`;
  return new CodedError('account-exists', detail);
}

function keyReused(): CodedError {
  const detail =
    'This Idempotency-Key was used before for the account of another user. Use a new key for a new account.';
  return new CodedError('idempotency-key-reused', detail);
}
