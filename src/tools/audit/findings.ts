/** What an audit finds: violations of the invariants, named, in a form of bounded size. */

/** Every invariant the audit knows, in the order of the report, as a sentence. */
export const invariants = {
  'balance-equals-entries': 'The balance of an account is the sum of its ledger entries.',
  'balance-never-negative': 'No account is negative, nor was at any entry.',
  'entries-without-hole': 'The entries of an account are numbered 1, 2, 3… without a hole.',
  'entry-follows-entry': 'The balance of an entry is the one before it plus the amount of the entry.',
  'entry-has-source': 'An entry comes from one top-up or from one order.',
  'one-debit-per-order': 'An order is debited at most once.',
  'debit-equals-decision': 'A debit has the user and the amount that were decided.',
  'one-decision-per-order': 'An order is decided once, for ever.',
  'paid-has-debit': 'An order that was decided as paid has a debit.',
  'failed-has-no-debit': 'An order that was decided as failed has no debit.',
  'debit-has-decision': 'A debit has a decision behind it.',
  'money-conserved': 'What was topped up is what was credited: the sum of balances and debits.',
  'final-status-never-changes': 'A final status never changes.',
  'one-order-per-key': 'One idempotency key of a user is one order.',
  'new-orders-wait': 'An order is NEW if, and only if, it is among those that wait for their payment.',
  'one-topup-per-key': 'One idempotency key of a user is one top-up.',
  'status-equals-decision': 'FINISHED was decided as paid, CANCELED as failed, for the same reason.',
  'decision-has-order': 'A decision has an order behind it.',
  'decision-equals-order': 'A decision has the user and the amount of the order.',
  'no-contradiction': 'No message that contradicts an order or a decision waits for an operator.',
  'decided-is-settled': 'When quiet, an order that was decided is settled.',
  'new-order-in-time': 'When quiet, no order is NEW beyond its time.',
  'outboxes-empty': 'When quiet, nothing waits in an outbox.',
  'queues-empty': 'When quiet, nothing waits in a queue.',
  'inbox-empty': 'When quiet, nothing waits in the inbox.',
  'job-within-lease': 'When quiet, no job is active beyond its lease.',
  'dead-letters-acknowledged': 'When quiet, no other dead letter waits for an operator.',
  'finished-equals-debits': 'When quiet, the sum of FINISHED orders is the sum of debits.',
} as const;
export type Invariant = keyof typeof invariants;

/** One violation: which invariant, of which user or order, and the figures. */
export interface Violation {
  invariant: Invariant;
  /** A user or order id, or `all` for a sum, or `more` for those of an invariant that are only counted. */
  id: string;
  detail: string;
}

/** Violations listed of one invariant; the rest is counted. */
export const listedMax = 100;

/** Collects violations. Bounded: it may be told of a million. */
export class Findings {
  readonly #byInvariant = new Map<Invariant, { listed: Violation[]; count: number }>();

  add(invariant: Invariant, id: string, detail: string): void {
    let found = this.#byInvariant.get(invariant);
    if (found === undefined) {
      found = { listed: [], count: 0 };
      this.#byInvariant.set(invariant, found);
    }
    found.count += 1;
    if (found.listed.length < listedMax) found.listed.push({ invariant, id, detail });
  }

  /** In the order of the invariants; one entry with the id `more` counts what is not listed. */
  list(): Violation[] {
    return (Object.keys(invariants) as Invariant[]).flatMap((invariant) => {
      const { listed, count } = this.#byInvariant.get(invariant) ?? { listed: [], count: 0 };
      if (count === listed.length) return listed;
      return [...listed, { invariant, id: 'more', detail: `and ${count - listed.length} more like these` }];
    });
  }
}
