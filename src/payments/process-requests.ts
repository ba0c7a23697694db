import type { DeadLetter } from '../messaging/dead-letters.ts';
import { type PaymentResult, toCloudEvent } from '../messaging/messages.ts';
import type { Outbox } from '../messaging/outbox.ts';
import type { Database, Transaction } from '../platform/database.ts';
import { isUniqueViolation } from '../platform/postgres-errors.ts';
import { lockFreeAccounts, writeMovements } from './account-store.ts';
import { findDecisions, insertDecisions } from './decision-store.ts';
import { decide } from './decisions.ts';
import {
  claimRequests,
  type InboxRequest,
  markProcessed,
  type ReceivedRequest,
  receiveRequests,
} from './inbox-store.ts';
import type { DecisionTrace } from './traced-steps.ts';

/** Requests decided in one transaction. */
export const processedMax = 1_000;
/** Another instance may decide the same order at the same moment; the second try finds its decision. */
const attemptsMax = 3;

/** Claims of one pass: each beyond the first leaves out the users found held, so that others get their turn. */
const claimsMax = 5;

/** What a request asks for, before or after it is read from the inbox. */
type Asked = Pick<InboxRequest, 'orderId' | 'userId'>;

interface PassOptions {
  measured: boolean;
  arriving: readonly ReceivedRequest[];
  trace?: DecisionTrace | undefined;
}

/** What one pass came to. */
export interface Processed {
  processed: number;
  /** The messages now in the outbox; without those that went to the dead letters. */
  results: readonly PaymentResult[];
  /** Requests left for a later pass, because somebody else holds their account. */
  held: number;
  /** How long each request had waited in the inbox that is decided now, not answered again; if that was asked for. */
  waitedSeconds: readonly number[];
  /** Of those that arrived, how often each message came so far; as `receiveRequests` answers. */
  stored: ReadonlyMap<string, number>;
}

/**
 * Step 4, pay: the oldest requests in the inbox are decided, and decision, debit, ledger entry and result
 * are written, in one transaction. The accounts of the batch are locked first, once each; then the rules
 * decide in memory, in inbox order. Requests of an account that somebody else holds wait for the next pass.
 * @param options.measured whether the times they waited are wanted, which Postgres must then tell
 * @param options.arriving requests that go into the inbox first, in the same transaction: with little to do a message is
 *   received and decided at once, for one commit
 * @param options.trace records a span for each
 */
export async function processRequests(
  database: Database,
  outbox: Outbox,
  { measured = false, arriving = [], trace }: Partial<PassOptions> = {},
): Promise<Processed> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const pass = (tx: Transaction) => processIn(tx, outbox, { measured, arriving, trace });
      const processed = await database.transaction(pass, { readsFirst: true });
      trace?.end();
      return processed;
    } catch (error) {
      trace?.fail(error);
      if (attempt >= attemptsMax || !isUniqueViolation(error)) throw error;
    }
  }
}

async function processIn(tx: Transaction, outbox: Outbox, options: PassOptions): Promise<Processed> {
  const { trace } = options;
  const { requests: claimed, accounts, decided, held, stored } = await claimPayable(tx, options);
  if (claimed.length === 0) return { processed: 0, results: [], held, waitedSeconds: [], stored };
  const requests = trace === undefined ? claimed : trace.begin(claimed);
  const verdicts = decide(requests, accounts, decided);
  trace?.decided(verdicts);
  insertDecisions(tx, verdicts.decisions);
  writeMovements(tx, verdicts.accounts, verdicts.entries);
  outbox.send(tx, verdicts.results, verdicts.contradictions.map(contradiction));
  markProcessed(tx, requests);
  const waitedSeconds = options.measured ? timesWaited(requests, verdicts.decisions) : [];
  return { processed: requests.length, results: verdicts.results, held, waitedSeconds, stored };
}

/** A request that came again is put back where it was received: its time would be that since the first one came. */
function timesWaited(requests: readonly InboxRequest[], decisions: readonly { orderId: string }[]): number[] {
  if (decisions.length === requests.length) return requests.map(({ waitedSeconds = 0 }) => waitedSeconds);
  const decided = new Set(decisions.map(({ orderId }) => orderId));
  return requests.flatMap(({ orderId, waitedSeconds = 0 }) => (decided.has(orderId) ? waitedSeconds : []));
}

/** Claims requests whose accounts can be locked now, and finds what was decided about them before. */
async function claimPayable(tx: Transaction, { measured, arriving }: PassOptions) {
  const heldUsers = new Set<string>();
  let held = 0;
  const expected = arriving.map(({ request }) => request);
  // Travels with the first claim, which finds what arrived behind what waited before.
  const storing = receiveRequests(tx, arriving);
  for (let claim = 1; ; claim += 1) {
    const [stored, claimed, prepared] = await Promise.all([
      storing,
      claimRequests(tx, processedMax, { exceptUsers: heldUsers, measured }),
      claim === 1 && expected.length > 0 ? prepare(tx, expected) : undefined,
    ]);
    if (claimed.length === 0) return { requests: [], accounts: [], decided: [], held, stored };
    const asExpected = prepared !== undefined && areAmong(claimed, expected);
    const { free, decided } = asExpected ? prepared : await prepare(tx, claimed);
    for (const userId of free.held) heldUsers.add(userId);
    const requests = claimed.filter(({ userId }) => !free.held.has(userId));
    held += claimed.length - requests.length;
    if (requests.length > 0 || claimed.length < processedMax || claim === claimsMax) {
      return { requests, accounts: free.accounts, decided, held, stored };
    }
  }
}

/** Sent together, run one after the other: decisions are read when the accounts are locked. */
async function prepare(tx: Transaction, requests: readonly Asked[]) {
  const locking = lockFreeAccounts(
    tx,
    requests.map(({ userId }) => userId),
  );
  const finding = findDecisions(
    tx,
    requests.map(({ orderId }) => orderId),
  );
  const [free, decided] = await Promise.all([locking, finding]);
  return { free, decided };
}

function areAmong(claimed: readonly InboxRequest[], expected: readonly Asked[]): boolean {
  const users = new Map(expected.map(({ orderId, userId }) => [orderId, userId]));
  return claimed.every(({ orderId, userId }) => users.get(orderId) === userId);
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
