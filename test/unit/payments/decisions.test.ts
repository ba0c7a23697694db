import { expect } from 'chai';
import fc from 'fast-check';
import type { Account } from '../../../src/payments/account.ts';
import { type Decision, decide, type PaymentRequest, resultOf } from '../../../src/payments/decisions.ts';

// Few users, orders and amounts, so that they meet often.
const users = ['alice', 'bob', 'carol'] as const;
const accountsArbitrary = fc.subarray([...users]).chain((owners) =>
  fc.tuple(
    ...owners.map((userId) =>
      fc.record({
        userId: fc.constant(userId as string),
        balance: fc.bigInt({ min: 0n, max: 100n }),
        entryCount: fc.bigInt({ min: 0n, max: 5n }),
      }),
    ),
  ),
);
const requestArbitrary: fc.Arbitrary<PaymentRequest> = fc.record({
  orderId: fc.integer({ min: 0, max: 15 }).map((n) => `order-${n}`),
  userId: fc.constantFrom(...users),
  amount: fc.bigInt({ min: 1n, max: 40n }),
});
const requestsArbitrary = fc.array(requestArbitrary, { maxLength: 30 });
const decidedArbitrary: fc.Arbitrary<Decision[]> = fc.uniqueArray(
  requestArbitrary.chain((facts) =>
    fc.constantFrom<Decision>(
      { ...facts, outcome: 'paid', reason: null },
      { ...facts, outcome: 'failed', reason: 'INSUFFICIENT_FUNDS' },
    ),
  ),
  { selector: ({ orderId }) => orderId, maxLength: 5 },
);

type Case = [PaymentRequest[], Account[], Decision[]];
function always(rule: (...given: Case) => void): void {
  fc.assert(
    fc.property(requestsArbitrary, accountsArbitrary, decidedArbitrary, (requests, accounts, decided) =>
      rule(requests, accounts as Account[], decided),
    ),
    { numRuns: 300 },
  );
}

/** The accounts after a batch, moved or not. */
function accountsAfter(accounts: readonly Account[], moved: readonly Account[]): Account[] {
  return accounts.map((account) => moved.find(({ userId }) => userId === account.userId) ?? account);
}

describe('payment decisions', () => {
  it('pay two of three orders of 50 on a balance of 100, in the order they came', () => {
    const account = { userId: 'alice', balance: 100n, entryCount: 1n };
    const requests = ['a', 'b', 'c'].map((orderId) => ({ orderId, userId: 'alice', amount: 50n }));
    const { decisions, entries, accounts } = decide(requests, [account], []);
    expect(decisions.map(({ outcome, reason }) => reason ?? outcome)).to.deep.equal([
      'paid',
      'paid',
      'INSUFFICIENT_FUNDS',
    ]);
    expect(entries.map(({ seq, balance }) => [seq, balance])).to.deep.equal([
      [2n, 50n],
      [3n, 0n],
    ]);
    expect(accounts).to.deep.equal([{ userId: 'alice', balance: 0n, entryCount: 3n }]);
  });

  it('pay a small order although a larger one before it found too little', () => {
    const account = { userId: 'alice', balance: 10n, entryCount: 0n };
    const requests = [11n, 10n].map((amount) => ({ orderId: `order-${amount}`, userId: 'alice', amount }));
    const { decisions } = decide(requests, [account], []);
    expect(decisions.map(({ outcome }) => outcome)).to.deep.equal(['failed', 'paid']);
  });

  it('never let a balance be negative, nor at any entry', () => {
    always((requests, accounts, decided) => {
      const verdicts = decide(requests, accounts, decided);
      for (const { balance } of [...verdicts.accounts, ...verdicts.entries])
        expect(balance >= 0n).to.equal(true);
    });
  });

  it('change each balance by exactly the sum of its entries, numbered on without a hole', () => {
    always((requests, accounts, decided) => {
      const verdicts = decide(requests, accounts, decided);
      const now = accountsAfter(accounts, verdicts.accounts);
      accounts.forEach((account, index) => {
        const entries = verdicts.entries.filter(({ userId }) => userId === account.userId);
        let { balance, entryCount } = account;
        for (const entry of entries) {
          balance += entry.amount;
          entryCount += 1n;
          expect([entry.seq, entry.balance]).to.deep.equal([entryCount, balance]);
        }
        expect(now[index]).to.deep.equal({ userId: account.userId, balance, entryCount });
      });
    });
  });

  it('answer with the accounts that moved, and no others', () => {
    always((requests, accounts, decided) => {
      const { accounts: moved, entries } = decide(requests, accounts, decided);
      expect(moved.map(({ userId }) => userId)).to.have.members([
        ...new Set(entries.map(({ userId }) => userId)),
      ]);
    });
  });

  it('debit an order at most once, and exactly when they say paid', () => {
    always((requests, accounts, decided) => {
      const { decisions, entries } = decide(requests, accounts, decided);
      const paid = decisions.filter(({ outcome }) => outcome === 'paid');
      const debits = entries.map(({ orderId, userId, amount }) => ({ orderId, userId, amount: -amount }));
      expect(debits).to.deep.equal(paid.map(({ orderId, userId, amount }) => ({ orderId, userId, amount })));
      const orders = decisions.map(({ orderId }) => orderId);
      expect(new Set(orders).size, 'one decision an order').to.equal(orders.length);
    });
  });

  it('decide each order by the first request about it', () => {
    always((requests, accounts, decided) => {
      const before = new Set(decided.map(({ orderId }) => orderId));
      const firsts = new Map<string, PaymentRequest>();
      for (const request of requests) {
        if (!before.has(request.orderId) && !firsts.has(request.orderId))
          firsts.set(request.orderId, request);
      }
      const { decisions } = decide(requests, accounts, decided);
      const facts = decisions.map(({ orderId, userId, amount }) => ({ orderId, userId, amount }));
      expect(facts).to.deep.equal([...firsts.values()]);
    });
  });

  it('are the same whether requests come in one batch or one after the other', () => {
    always((requests, accounts, decided) => {
      const whole = decide(requests, accounts, decided);
      let [balances, known] = [accounts, decided];
      const results: unknown[] = [];
      for (const request of requests) {
        const one = decide([request], balances, known);
        balances = accountsAfter(balances, one.accounts);
        known = [...known, ...one.decisions];
        results.push(...one.results);
      }
      expect(accountsAfter(accounts, whole.accounts)).to.deep.equal(balances);
      expect([...decided, ...whole.decisions]).to.deep.equal(known);
      expect(whole.results).to.deep.equal(results);
    });
  });

  it('do not depend on the requests of other users', () => {
    always((requests, accounts) => {
      // Each order belongs to one user here; otherwise users compete for being first.
      const own = requests.map((request) => ({
        ...request,
        orderId: `${request.userId} ${request.orderId}`,
      }));
      const whole = decide(own, accounts, []).decisions;
      for (const user of users) {
        const ofUser = ({ userId }: { userId: string }) => userId === user;
        const alone = decide(own.filter(ofUser), accounts, []).decisions;
        expect(whole.filter(ofUser)).to.deep.equal(alone);
      }
    });
  });

  it('answer an order that was decided before with the recorded decision, and charge nothing', () => {
    always((_requests, accounts, decided) => {
      const again = decided.map(({ orderId, userId, amount }) => ({ orderId, userId, amount }));
      const verdicts = decide([...again, ...again], accounts, decided);
      expect(verdicts.decisions).to.deep.equal([]);
      expect(verdicts.entries).to.deep.equal([]);
      expect(verdicts.accounts).to.deep.equal([]);
      const answers = decided.map((decision) => resultOf(decision, undefined));
      expect(verdicts.results).to.deep.equal([...answers, ...answers]);
    });
  });

  it('answer every request that does not contradict, and none that does', () => {
    always((requests, accounts, decided) => {
      const { decisions, results, contradictions } = decide(requests, accounts, decided);
      expect(results.length + contradictions.length).to.equal(requests.length);
      const known = new Map([...decided, ...decisions].map((decision) => [decision.orderId, decision]));
      for (const { orderId, userId, amount } of results) {
        expect(known.get(orderId)).to.include({ userId, amount });
      }
      for (const { orderId, userId, amount } of contradictions) {
        const decision = known.get(orderId);
        expect(decision?.userId === userId && decision.amount === amount).to.equal(false);
      }
    });
  });

  it('change nothing for a request that contradicts one decided before', () => {
    always((requests, accounts, decided) => {
      const contrary = decided.map(({ orderId, userId, amount }) => ({
        orderId,
        userId,
        amount: amount + 1n,
      }));
      const plain = decide(requests, accounts, decided);
      const mixed = decide([...contrary, ...requests], accounts, decided);
      expect({ ...mixed, contradictions: [] }).to.deep.equal({ ...plain, contradictions: [] });
      expect(mixed.contradictions.slice(0, contrary.length)).to.deep.equal(contrary);
    });
  });

  it('leave what they are given as it was', () => {
    always((requests, accounts, decided) => {
      const given = structuredClone({ requests, accounts, decided });
      decide(requests, accounts, decided);
      expect({ requests, accounts, decided }).to.deep.equal(given);
    });
  });

  it('hand the trace context of the request on with the result', () => {
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    const { results } = decide([{ orderId: 'o', userId: 'nobody', amount: 1n, traceparent }], [], []);
    expect(results).to.deep.equal([
      {
        type: 'payment.failed.v1',
        orderId: 'o',
        userId: 'nobody',
        amount: 1n,
        traceparent,
        reason: 'ACCOUNT_NOT_FOUND',
      },
    ]);
  });
});
