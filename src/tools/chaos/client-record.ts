/** What a client knows of its own writes, to be held against what is stored. */

/** How a write ended, as its client saw it. */
export type Outcome =
  /** Acknowledged: it must be there. */
  | 'ok'
  /** Refused, with nothing stored, or so it was said: it must not be there. */
  | 'failed'
  /** No answer, or one that says it is unknown: it may be there or not. */
  | 'unknown';

/** A write under its idempotency key. */
export interface Write {
  kind: 'order' | 'topup';
  userId: string;
  /** Decimal. */
  amount: string;
  outcome: Outcome;
  /** The id that was acknowledged. */
  id?: string;
}

/** A stored row under its idempotency key. */
export interface StoredWrite {
  kind: Write['kind'];
  key: string;
  id: string;
  userId: string;
  amount: string;
}

/** A disagreement between the client's record and what is stored. */
export interface Disagreement {
  key: string;
  detail: string;
}

/** The record of all writes of a run. */
export class ClientRecord {
  readonly #writes = new Map<string, Write>();
  /** Final statuses that were read, and when the answer had come. */
  readonly #finals = new Map<string, { status: string; at: number }>();
  readonly regressions: Disagreement[] = [];

  /** Notes a write before it is sent: until there is an answer it is unknown. */
  begin(key: string, write: Omit<Write, 'outcome'>): void {
    this.#writes.set(key, { ...write, outcome: 'unknown' });
  }

  /**
   * Notes an answer. Once acknowledged a write stays so. A refusal after an unknown first try says nothing
   * about that first try.
   */
  end(key: string, outcome: Outcome, options: { id?: string; triedBefore: boolean }): void {
    const write = this.#writes.get(key);
    if (write === undefined || write.outcome === 'ok') return;
    if (outcome === 'failed' && options.triedBefore) return;
    write.outcome = outcome;
    if (options.id !== undefined) write.id = options.id;
  }

  /**
   * Notes a status that was read: a final one never changes. A slow answer may tell of an earlier moment than one that
   * came before it, so what was asked before that one came may still be NEW.
   * @param askedAt when it was asked @param at when the answer came, by the same clock
   */
  seen(orderId: string, status: string, askedAt: number, at: number): void {
    const before = this.#finals.get(orderId);
    const mayBeEarlier = status === 'NEW' && before !== undefined && askedAt < before.at;
    if (before !== undefined && before.status !== status && !mayBeEarlier) {
      this.regressions.push({ key: orderId, detail: `was ${before.status}, then ${status}` });
    }
    if (status !== 'NEW' && before?.status !== status) this.#finals.set(orderId, { status, at });
  }

  /** Acknowledged orders, for the faults that send their messages again. */
  acknowledgedOrders(): { id: string; userId: string; amount: string }[] {
    return [...this.#writes.values()].flatMap(({ kind, outcome, id, userId, amount }) =>
      kind === 'order' && outcome === 'ok' && id !== undefined ? [{ id, userId, amount }] : [],
    );
  }

  /** How many writes ended how. */
  counts(): Record<Outcome, number> {
    const counts = { ok: 0, failed: 0, unknown: 0 };
    for (const { outcome } of this.#writes.values()) counts[outcome] += 1;
    return counts;
  }

  /** acknowledged ⊆ stored ⊆ acknowledged ∪ unknown, row by row; each disagreement named. */
  compare(stored: Iterable<StoredWrite>): Disagreement[] {
    const disagreements: Disagreement[] = [...this.regressions];
    const found = new Set<string>();
    for (const row of stored) {
      const write = this.#writes.get(row.key);
      const name = `${row.kind} ${row.id}`;
      if (write === undefined) {
        disagreements.push({ key: row.key, detail: `${name} is stored, and no client sent it` });
        continue;
      }
      if (found.has(row.key)) disagreements.push({ key: row.key, detail: `${name} is stored a second time` });
      found.add(row.key);
      if (write.outcome === 'failed') {
        disagreements.push({
          key: row.key,
          detail: `${name} is stored although its client was told it is not`,
        });
      } else if (write.id !== undefined && write.id !== row.id) {
        disagreements.push({ key: row.key, detail: `${name} was acknowledged as ${write.id}` });
      }
      if (write.userId !== row.userId || write.amount !== row.amount) {
        const asked = `${write.amount} for ${write.userId}`;
        disagreements.push({
          key: row.key,
          detail: `${name} has ${row.amount} for ${row.userId}, asked was ${asked}`,
        });
      }
    }
    for (const [key, { outcome, kind, id }] of this.#writes) {
      if (outcome === 'ok' && !found.has(key)) {
        disagreements.push({ key, detail: `${kind} ${id} was acknowledged and is not there` });
      }
    }
    return disagreements;
  }
}
