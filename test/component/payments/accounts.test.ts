import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { listEntries } from '../../../src/payments/account-store.ts';
import { createAccount, findAccount } from '../../../src/payments/accounts.ts';
import { type ToppedUp, TopUps } from '../../../src/payments/top-up.ts';
import type { Database, Transaction } from '../../../src/platform/database.ts';
import { CodedError } from '../../../src/platform/errors.ts';
import { balanceMax } from '../../../src/platform/money.ts';
import { useDatabases } from '../../support/databases.ts';
import { refusal } from '../../support/refusal.ts';

describe('payments: accounts and top-ups', () => {
  const databases = useDatabases();
  let userId: string;
  let topUps: TopUps;

  beforeEach(() => {
    userId = `user-${randomUUID()}`;
    topUps = new TopUps(databases.payments);
  });

  const create = (idempotencyKey?: string, user = userId) =>
    createAccount(databases.payments, user, idempotencyKey);
  const topUp = (amount: bigint, idempotencyKey?: string, user = userId) =>
    topUps.topUp({ userId: user, amount, idempotencyKey });
  const balance = async () => (await findAccount(databases.payments, userId)).balance;

  async function entries(): Promise<string[]> {
    const rows = await listEntries(databases.payments, { userId, before: balanceMax, limit: 500 });
    return rows.map((entry) => `${entry.seq}: ${entry.amount} = ${entry.balance}`).reverse();
  }

  async function count(table: string): Promise<number> {
    return (await databases.sql('payments', `select from payments.${table} where user_id = $1`, [userId]))
      .length;
  }

  /** The payments database on a link that loses the answers to the first `losses` commits or statements. */
  function losingAnswers(losses: number): Database {
    let lost = 0;
    const lose = <Result>(result: Result): Result => {
      if (lost >= losses) return result;
      lost += 1;
      throw Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
    };
    return {
      query: async (...call: Parameters<Database['query']>) => lose(await databases.payments.query(...call)),
      transaction: async (work: (tx: Transaction) => Promise<unknown>) =>
        lose(await databases.payments.transaction(work)),
    } as unknown as Database;
  }

  describe('an account', () => {
    it('is created empty, once for a user', async () => {
      const { replayed } = await create();
      expect(replayed).to.equal(false);
      expect(await balance()).to.equal(0n);
      await refusal('account-exists', () => create());
      await refusal('account-exists', () => create('a-key'));
    });

    it('is at most one for a user, also when fifty are asked for at the same time', async () => {
      const results = await Promise.allSettled(Array.from({ length: 50 }, () => create()));
      const refused = results.flatMap((result) => (result.status === 'rejected' ? [result.reason.code] : []));
      expect(refused).to.deep.equal(Array.from({ length: 49 }, () => 'account-exists'));
      expect(await count('accounts')).to.equal(1);
    });

    it('is answered again under the same key, also when fifty ask at the same time', async () => {
      const key = randomUUID();
      const results = await Promise.all(Array.from({ length: 50 }, () => create(key)));
      expect(results.filter(({ replayed }) => !replayed)).to.have.length(1);
      expect(new Set(results.map(({ createdAt }) => createdAt.getTime())).size).to.equal(1);
    });

    it('is refused under the key of another user', async () => {
      const key = randomUUID();
      await create(key);
      await refusal('idempotency-key-reused', () => create(key, `${userId}-2`));
      const other = `${userId}-3`;
      await create(undefined, other);
      await refusal('idempotency-key-reused', () => create(key, other));
    });

    it('is created once when the answer is lost, and is known to be this request', async () => {
      const created = await createAccount(losingAnswers(1), userId, randomUUID());
      expect(created.replayed).to.equal(false);
      expect(await count('accounts')).to.equal(1);
    });

    it('is of unknown outcome when the answer is lost and there is no key to tell by', async () => {
      const error = await createAccount(losingAnswers(1), userId, undefined).catch((reason) => reason);
      expect(error).to.have.property('code', 'ECONNRESET');
    });

    it('is not found for a user who has none', async () => {
      await refusal('account-not-found', () => findAccount(databases.payments, 'nobody'));
      await refusal('account-not-found', () => topUp(1n, undefined, 'nobody'));
    });
  });

  describe('a top-up', () => {
    beforeEach(() => create());

    it('adds to the balance and to the ledger', async () => {
      const first = await topUp(100_00n);
      const second = await topUp(1n);
      expect([first.topup.balance, second.topup.balance]).to.deep.equal([100_00n, 100_01n]);
      expect(await entries()).to.deep.equal(['1: 10000 = 10000', '2: 1 = 10001']);
      expect(await balance()).to.equal(100_01n);
    });

    it('counts each of a hundred at the same time, on one account, without a hole', async () => {
      const results = await Promise.all(Array.from({ length: 100 }, () => topUp(2n)));
      const balances = results.map(({ topup }) => topup.balance).sort((a, b) => Number(a - b));
      expect(balances).to.deep.equal(Array.from({ length: 100 }, (_, index) => 2n * BigInt(index + 1)));
      expect(await entries()).to.have.length(100);
      expect(await balance()).to.equal(200n);
    });

    it('is one for a hundred requests with one key, by two instances, and gives a hundred equal answers', async () => {
      const other = new TopUps(databases.payments);
      const request = { userId, amount: 5n, idempotencyKey: 'hundred' };
      const results = await Promise.all(
        Array.from({ length: 100 }, (_, index) => (index % 2 === 0 ? topUps : other).topUp(request)),
      );
      expect(results.filter(({ replayed }) => !replayed)).to.have.length(1);
      for (const { topup } of results) expect(topup).to.deep.equal(results[0]?.topup);
      expect(await entries()).to.deep.equal(['1: 5 = 5']);
    });

    it('is replayed with the balance it had then', async () => {
      const { topup } = await topUp(5n, 'then');
      await topUp(7n);
      expect(await topUp(5n, 'then')).to.deep.equal({ topup, replayed: true });
      expect(await balance()).to.equal(12n);
    });

    it('is refused when its key was used with another amount, in another batch or the same', async () => {
      await topUp(5n, 'used');
      await refusal('idempotency-key-reused', () => topUp(6n, 'used'));
      const results = await Promise.allSettled([topUp(1n, 'both'), topUp(2n, 'both')]);
      expect(results.map(({ status }) => status)).to.deep.equal(['fulfilled', 'rejected']);
      expect(await balance()).to.equal(6n);
    });

    it('may have the key that another user used', async () => {
      const other = `${userId}-2`;
      await create(undefined, other);
      await topUp(5n, 'shared');
      expect((await topUp(6n, 'shared', other)).replayed).to.equal(false);
    });

    it('is refused, alone of its batch, when the account could not hold it', async () => {
      await databases.sql('payments', 'update payments.accounts set balance = $2 where user_id = $1', [
        userId,
        (balanceMax - 10n).toString(),
      ]);
      const request = (amount: bigint) => ({ id: randomUUID(), userId, amount, idempotencyKey: undefined });
      const results = await topUps.topUpAll([request(8n), request(3n), request(2n)]);
      expect(results[1]).to.be.instanceOf(CodedError).with.property('code', 'balance-limit');
      expect((results[2] as ToppedUp).topup.balance).to.equal(balanceMax);
      await refusal('balance-limit', () => topUp(1n));
      expect(await entries()).to.have.length(2);
    });

    it('refuses only those of a batch whose user has no account', async () => {
      const results = await Promise.allSettled([topUp(1n), topUp(1n, undefined, 'nobody'), topUp(1n)]);
      expect(results.map(({ status }) => status)).to.deep.equal(['fulfilled', 'rejected', 'fulfilled']);
      expect(await balance()).to.equal(2n);
    });

    it('happens once when the answer to the commit is lost, with or without a key', async () => {
      for (const idempotencyKey of [undefined, 'lost']) {
        const { topup, replayed } = await new TopUps(losingAnswers(2)).topUp({
          userId,
          amount: 5n,
          idempotencyKey,
        });
        expect([topup.amount, replayed]).to.deep.equal([5n, false]);
      }
      expect(await entries()).to.deep.equal(['1: 5 = 5', '2: 5 = 10']);
    });
  });
});
