import type { DeadLetter } from '../messaging/dead-letters.ts';
import { toCloudEvent } from '../messaging/messages.ts';
import type { Outbox } from '../messaging/outbox.ts';
import type { Database, Transaction } from '../platform/database.ts';
import { isUniqueViolation } from '../platform/postgres-errors.ts';
import { lockAccounts, writeMovements } from './account-store.ts';
import { findDecisions, insertDecisions } from './decision-store.ts';
import { decide } from './decisions.ts';
import { claimRequests, type InboxRequest, markProcessed } from './inbox-store.ts';

/** Requests decided in one transaction. */
export const processedMax = 1_000;
/** Another instance may decide the same order at the same moment; the second try finds its decision. */
const attemptsMax = 3;

/**
 * Step 4, pay: the oldest requests in the inbox are decided, and decision, debit, ledger entry and result
 * are written, in one transaction. The accounts of the batch are locked first, once each; then the rules
 * decide in memory, in inbox order. Answers how many requests were processed.
 */
export async function processRequests(database: Database, outbox: Outbox): Promise<number> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await database.transaction((tx) => processIn(tx, outbox));
    } catch (error) {
      if (attempt >= attemptsMax || !isUniqueViolation(error)) throw error;
    }
  }
}

async function processIn(tx: Transaction, outbox: Outbox): Promise<number> {
  const requests = await claimRequests(tx, processedMax);
  if (requests.length === 0) return 0;
  const accounts = await lockAccounts(
    tx,
    requests.map(({ userId }) => userId),
  );
  const decided = await findDecisions(
    tx,
    requests.map(({ orderId }) => orderId),
  );
  const verdicts = decide(requests, accounts, decided);
  await insertDecisions(tx, verdicts.decisions);
  await writeMovements(tx, verdicts.accounts, verdicts.entries);
  await outbox.add(tx, verdicts.results, verdicts.contradictions.map(contradiction));
  await markProcessed(tx, requests);
  return requests.length;
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
