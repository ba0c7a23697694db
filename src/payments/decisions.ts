import type { DeclineReason, PaymentFacts, PaymentResult } from '../messaging/messages.ts';
import { type Account, debit, type NewEntry } from './account.ts';

/** The one verdict on the payment of an order. */
export type Decision = PaymentFacts &
  ({ outcome: 'paid'; reason: null } | { outcome: 'failed'; reason: DeclineReason });

/** A payment request as the rules see it. */
export type PaymentRequest = PaymentFacts & { traceparent?: string | undefined };

/** What a batch of requests comes to: what to write, and what to answer. */
export interface Verdicts<R extends PaymentRequest> {
  decisions: Decision[];
  entries: NewEntry[];
  /** The accounts that moved, as they are afterwards. */
  accounts: Account[];
  /** An answer for every request that was decided, now or before. */
  results: PaymentResult[];
  /** Requests that say something else than the decision on their order, which stands. */
  contradictions: R[];
}

/**
 * Decides a batch of payment requests in the order given: an order that was decided before is answered
 * with the recorded decision, any other is paid if its account has the money at that point. Pure.
 * @param accounts the accounts of all users in the batch that have one, locked by the caller
 * @param decided the decisions that exist about orders of the batch, read after that lock
 */
export function decide<R extends PaymentRequest>(
  requests: readonly R[],
  accounts: Iterable<Account>,
  decided: Iterable<Decision>,
): Verdicts<R> {
  const balances = new Map(Array.from(accounts, (account) => [account.userId, account]));
  const moved = new Set<string>();
  const known = new Map(Array.from(decided, (decision) => [decision.orderId, decision]));
  const verdicts: Verdicts<R> = { decisions: [], entries: [], accounts: [], results: [], contradictions: [] };

  for (const request of requests) {
    let decision = known.get(request.orderId);
    if (decision === undefined) {
      const movement = pay(request, balances.get(request.userId));
      decision = movement.decision;
      if (movement.paid !== undefined) {
        balances.set(request.userId, movement.paid.account);
        moved.add(request.userId);
        verdicts.entries.push(movement.paid.entry);
      }
      known.set(request.orderId, decision);
      verdicts.decisions.push(decision);
    } else if (decision.userId !== request.userId || decision.amount !== request.amount) {
      verdicts.contradictions.push(request);
      continue;
    }
    verdicts.results.push(resultOf(decision, request.traceparent));
  }
  verdicts.accounts = [...moved].map((userId) => balances.get(userId) as Account);
  return verdicts;
}

function pay({ orderId, userId, amount }: PaymentRequest, account: Account | undefined) {
  const facts = { orderId, userId, amount };
  const decline = (reason: DeclineReason) => ({
    decision: { ...facts, outcome: 'failed', reason } satisfies Decision as Decision,
    paid: undefined,
  });
  if (account === undefined) return decline('ACCOUNT_NOT_FOUND');
  const paid = debit(account, amount, orderId);
  if (paid === undefined) return decline('INSUFFICIENT_FUNDS');
  return { decision: { ...facts, outcome: 'paid', reason: null } satisfies Decision as Decision, paid };
}

/** The message that tells a decision. */
export function resultOf(decision: Decision, traceparent: string | undefined): PaymentResult {
  const { orderId, userId, amount } = decision;
  const facts = { orderId, userId, amount, traceparent };
  return decision.outcome === 'paid'
    ? { type: 'payment.succeeded.v1', ...facts }
    : { type: 'payment.failed.v1', ...facts, reason: decision.reason };
}
