import { expect } from 'chai';
import fc from 'fast-check';
import { type Account, credit, debit, viewEntry } from '../../../src/payments/account.ts';
import { balanceMax } from '../../../src/platform/money.ts';
import { amounts } from '../../support/arbitraries.ts';

const accounts: fc.Arbitrary<Account> = fc.record({
  userId: fc.constant('alice'),
  balance: fc.bigInt({ min: 0n, max: balanceMax }),
  entryCount: fc.bigInt({ min: 0n, max: 1_000_000n }),
});

describe('account', () => {
  it('moves by exactly the amount, in its next entry', () => {
    fc.assert(
      fc.property(accounts, amounts, fc.boolean(), (account, amount, puttingIn) => {
        const movement = puttingIn ? credit(account, amount, 'source') : debit(account, amount, 'source');
        if (movement === undefined) return;
        const signed = puttingIn ? amount : -amount;
        const balance = account.balance + signed;
        const seq = account.entryCount + 1n;
        expect(movement.account).to.deep.equal({ userId: 'alice', balance, entryCount: seq });
        const source = puttingIn
          ? { topupId: 'source', orderId: null }
          : { topupId: null, orderId: 'source' };
        expect(movement.entry).to.deep.equal({ userId: 'alice', seq, amount: signed, balance, ...source });
      }),
    );
  });

  it('gives money out exactly when it has that much', () => {
    fc.assert(
      fc.property(accounts, amounts, (account, amount) => {
        expect(debit(account, amount, 'order') !== undefined).to.equal(account.balance >= amount);
      }),
    );
    const account = { userId: 'alice', balance: 100n, entryCount: 0n };
    expect(debit(account, 100n, 'order')?.account.balance).to.equal(0n);
    expect(debit(account, 101n, 'order')).to.equal(undefined);
  });

  it('takes money in exactly up to what Postgres can count', () => {
    const account = { userId: 'alice', balance: balanceMax - 100n, entryCount: 0n };
    expect(credit(account, 100n, 'topup')?.account.balance).to.equal(balanceMax);
    expect(credit(account, 101n, 'topup')).to.equal(undefined);
  });

  it('is the same again after money went in and out', () => {
    fc.assert(
      fc.property(accounts, amounts, (account, amount) => {
        const topped = credit(account, amount, 'topup');
        fc.pre(topped !== undefined);
        expect(debit(topped.account, amount, 'order')?.account.balance).to.equal(account.balance);
      }),
    );
  });

  it('shows an entry with decimals and its kind', () => {
    const createdAt = new Date(0);
    const entry = { userId: 'alice', seq: 2n, amount: -4990n, balance: 10n, createdAt };
    expect(viewEntry({ ...entry, topupId: null, orderId: 'o' })).to.deep.equal({
      seq: 2,
      kind: 'order',
      amount: '-49.90',
      balance: '0.10',
      topup_id: null,
      order_id: 'o',
      created_at: '1970-01-01T00:00:00.000Z',
    });
    expect(viewEntry({ ...entry, amount: 5n, topupId: 't', orderId: null }).kind).to.equal('topup');
  });
});
