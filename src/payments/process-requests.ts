import type { DeadLetter } from '../messaging/dead-letters.ts';
import { toCloudEvent } from '../messaging/messages.ts';
import type { Outbox } from '../messaging/outbox.ts';
import type { Database, Transaction } from '../platform/database.ts';
import { isUniqueViolation } from '../platform/postgres-errors.ts';
import { lockFreeAccounts, writeMovements } from './account-store.ts';
import { findDecisions, insertDecisions } from './decision-store.ts';
import { decide } from './decisions.ts';
import { claimRequests, type InboxRequest, markProcessed } from './inbox-store.ts';

/** Requests decided in one transaction. */
export const processedMax = 1_000;
/** Another instance may decide the same order at the same moment; the second try finds its decision. */
const attemptsMax = 3;

/** Claims of one pass: each beyond the first leaves out the users found held, so that others get their turn. */
const claimsMax = 5;

/** What one pass came to. */
export interface Processed {
  processed: number;
  /** Requests left for a later pass, because somebody else holds their account. */
  held: number;
  /** How long each request decided had waited in the inbox, if that was asked for. */
  waitedSeconds: readonly number[];
}

/**
 * Step 4, pay: the oldest requests in the inbox are decided, and decision, debit, ledger entry and result
 * are written, in one transaction. The accounts of the batch are locked first, once each; then the rules
 * decide in memory, in inbox order. Requests of an account that somebody else holds wait for the next pass.
 * @param options.measured whether the times they waited are wanted, which Postgres must then tell
 */
export async function processRequests(
  database: Database,
  outbox: Outbox,
  { measured = false } = {},
): Promise<Processed> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await database.transaction((tx) => processIn(tx, outbox, measured), { readsFirst: true });
    } catch (error) {
      if (attempt >= attemptsMax || !isUniqueViolation(error)) throw error;
    }
  }
}

async function processIn(tx: Transaction, outbox: Outbox, measured: boolean): Promise<Processed> {
  const { requests, accounts, decided, held } = await claimPayable(tx, measured);
  if (requests.length === 0) return { processed: 0, held, waitedSeconds: [] };
  const verdicts = decide(requests, accounts, decided);
  insertDecisions(tx, verdicts.decisions);
  writeMovements(tx, verdicts.accounts, verdicts.entries);
  outbox.send(tx, verdicts.results, verdicts.contradictions.map(contradiction));
  markProcessed(tx, requests);
  const waitedSeconds = measured ? requests.map((request) => request.waitedSeconds ?? 0) : [];
  return { processed: requests.length, held, waitedSeconds };
}

/** Claims requests whose accounts can be locked now, and finds what was decided about them before. */
async function claimPayable(tx: Transaction, measured: boolean) {
  const heldUsers = new Set<string>();
  let held = 0;
  for (let claim = 1; ; claim += 1) {
    const claimed = await claimRequests(tx, processedMax, { exceptUsers: heldUsers, measured });
    if (claimed.length === 0) return { requests: [], accounts: [], decided: [], held };
    // Sent together, run one after the other: decisions are read when the accounts are locked.
    const [free, decided] = await Promise.all([
      lockFreeAccounts(
        tx,
        claimed.map(({ userId }) => userId),
      ),
      findDecisions(
        tx,
        claimed.map(({ orderId }) => orderId),
      ),
    ]);
    for (const userId of free.held) heldUsers.add(userId);
    const requests = claimed.filter(({ userId }) => !free.held.has(userId));
    held += claimed.length - requests.length;
    if (requests.length > 0 || claimed.length < processedMax || claim === claimsMax) {
      return { requests, accounts: free.accounts, decided, held };
    }
  }
}

function contradiction(request: InboxRequest): DeadLetter {
  return {
    message: toCloudEvent({ type: 'payment.requested.v1', ...request }),
    jobId: request.jobId,
    queue: 'payment-requests',
    reason: 'contradicts-decision',
    detail: `order ${request.orderId} was decided for another user or amount`,
  };
}
