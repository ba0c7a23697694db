import { v7 as uuidV7 } from 'uuid';
import { type Database, repeatSafely, type Transaction } from '../platform/database.ts';
import { CodedError } from '../platform/errors.ts';
import { GroupCommit } from '../platform/group-commit.ts';
import { accountNotFound } from '../platform/identity/refusals.ts';
import { isLockTimeout } from '../platform/postgres-errors.ts';
import { type Account, credit, type NewEntry } from './account.ts';
import { type FreeAccounts, lockAccounts, lockFreeAccounts, writeMovements } from './account-store.ts';
import { findTopups, insertTopups, type Topup } from './topup-store.ts';

const batchSizeMax = 500;
const waitingMax = 4_000;
/** An account is held for milliseconds, by step 4. After this, those of a batch that are free go without it. */
const lockMsMax = 500;

/** What a client asks for. `id` is the server's, made before the first try, so that a second finds it. */
export interface TopupRequest {
  id: string;
  userId: string;
  amount: bigint;
  idempotencyKey: string | undefined;
}

/** What became of a request: the top-up, and whether it is an earlier request's. */
export interface ToppedUp {
  topup: Topup;
  replayed: boolean;
}

/** Puts money into accounts; requests that arrive during a transaction share the next one. */
export class TopUps {
  readonly #database: Database;
  readonly #groupCommit: GroupCommit<TopupRequest, ToppedUp | CodedError>;

  constructor(database: Database) {
    this.#database = database;
    const write = (requests: TopupRequest[]) => this.topUpAll(requests);
    this.#groupCommit = new GroupCommit({ write, batchSizeMax, writesInFlightMax: 1, waitingMax });
  }

  /** Tops up one account. Throws `account-not-found`, `balance-limit` or `idempotency-key-reused`. */
  async topUp(request: Omit<TopupRequest, 'id'>): Promise<ToppedUp> {
    const result = await this.#groupCommit.submit({ ...request, id: uuidV7() });
    if (result instanceof CodedError) throw result;
    return result;
  }

  /** Tops up a batch in one transaction, a result for each, in order. */
  async topUpAll(requests: readonly TopupRequest[]): Promise<(ToppedUp | CodedError)[]> {
    let attempts = 0;
    return repeatSafely(async () => {
      attempts += 1;
      // Who holds the account may be this request's own first attempt, whose answer was lost.
      const refuseHeld = attempts === 1 ? accountHeld : outcomeUnknown;
      try {
        const lock = async (tx: Transaction, userIds: string[]): Promise<FreeAccounts> => ({
          accounts: await lockAccounts(tx, userIds),
          held: new Set(),
        });
        const lockMs = lockMsMax;
        return await this.#database.transaction((tx) => topUpIn(tx, requests, lock, refuseHeld), { lockMs });
      } catch (error) {
        if (!isLockTimeout(error)) throw error;
        return this.#database.transaction((tx) => topUpIn(tx, requests, lockFreeAccounts, refuseHeld));
      }
    });
  }
}

async function topUpIn(
  tx: Transaction,
  requests: readonly TopupRequest[],
  lock: (tx: Transaction, userIds: string[]) => Promise<FreeAccounts>,
  refuseHeld: (userId: string) => CodedError,
): Promise<(ToppedUp | CodedError)[]> {
  const locked = await lock(
    tx,
    requests.map(({ userId }) => userId),
  );
  const accounts = new Map<string, Account>(locked.accounts.map((account) => [account.userId, account]));
  // Read after the lock: whoever used one of these keys has committed.
  const found = await findTopups(tx, requests);
  const ownIds = new Set(found.map(({ id }) => id));
  const keyed = found.filter(({ idempotencyKey }) => idempotencyKey !== null);
  const byKey = new Map(keyed.map((topup) => [`${topup.userId} ${topup.idempotencyKey}`, topup]));
  const byId = new Map(found.map((topup) => [topup.id, topup]));
  const topups: Omit<Topup, 'createdAt'>[] = [];
  const entries: NewEntry[] = [];
  const outcomes = requests.map((request): CodedError | { id: string; replayed: boolean } => {
    const { id, userId, amount, idempotencyKey } = request;
    if (ownIds.has(id)) return { id, replayed: false };
    const earlier =
      idempotencyKey === undefined
        ? undefined
        : (byKey.get(`${userId} ${idempotencyKey}`) ??
          topups.find((topup) => topup.userId === userId && topup.idempotencyKey === idempotencyKey));
    if (earlier !== undefined) {
      return earlier.amount === amount ? { id: earlier.id, replayed: true } : keyReused();
    }
    const account = accounts.get(userId);
    if (locked.held.has(userId)) return refuseHeld(userId);
    if (account === undefined) return accountNotFound(userId);
    const movement = credit(account, amount, id);
    if (movement === undefined) return balanceLimit();
    accounts.set(userId, movement.account);
    entries.push(movement.entry);
    const balance = movement.account.balance;
    topups.push({ id, userId, amount, balance, idempotencyKey: idempotencyKey ?? null });
    return { id, replayed: false };
  });
  for (const topup of await insertTopups(tx, topups)) byId.set(topup.id, topup);
  const movedUsers = new Set(entries.map(({ userId }) => userId));
  const moved = [...accounts.values()].filter(({ userId }) => movedUsers.has(userId));
  writeMovements(tx, moved, entries);
  return outcomes.map((outcome) =>
    outcome instanceof CodedError
      ? outcome
      : { topup: byId.get(outcome.id) as Topup, replayed: outcome.replayed },
  );
}

function accountHeld(userId: string): CodedError {
  const detail = `Another transaction holds the account of ${userId}. Nothing was stored; try again in a moment.`;
  return new CodedError('unavailable', detail);
}

function outcomeUnknown(userId: string): CodedError {
  const detail = `The database went away before it answered: the account of ${userId} may have been topped up. Repeat the request with the same Idempotency-Key, which is safe.`;
  return new CodedError('outcome-unknown', detail);
}

function balanceLimit(): CodedError {
  const detail = 'With this top-up the balance would exceed what an account can hold. Nothing was stored.';
  return new CodedError('balance-limit', detail);
}

function keyReused(): CodedError {
  const detail =
    'This Idempotency-Key was used before for another top-up. Use a new key for a new top-up, or send the first request unchanged.';
  return new CodedError('idempotency-key-reused', detail);
}
