import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { v7 as uuidV7 } from 'uuid';
import type { Delivery } from '../../../src/messaging/broker/broker.ts';
import { messageId, toCloudEvent } from '../../../src/messaging/messages.ts';
import { createAccount } from '../../../src/payments/accounts.ts';
import { processRequests } from '../../../src/payments/process-requests.ts';
import { AccountKeyPruning } from '../../../src/payments/prune-account-keys.ts';
import { InboxPruning } from '../../../src/payments/prune-inbox.ts';
import { receiveDeliveries } from '../../../src/payments/receive-requests.ts';
import { TopUps } from '../../../src/payments/top-up.ts';
import { IdempotencyKeyPruning } from '../../../src/platform/idempotency-key-store.ts';
import type { Pruning } from '../../../src/platform/retention.ts';
import { useDatabases } from '../../support/databases.ts';

const dayMs = 86_400_000;

describe('payments: retention', () => {
  const databases = useDatabases();
  const sql = <Row extends object>(text: string, values?: unknown[]) =>
    databases.sql<Row>('payments', text, values);
  const receive = (deliveries: Delivery[]) =>
    receiveDeliveries(databases.payments, databases.paymentsOutbox, deliveries);
  const process = () => processRequests(databases.payments, databases.paymentsOutbox);

  beforeEach(async () => {
    await sql('delete from payments.inbox');
    await sql('update payments.accounts set idempotency_key = null');
  });

  async function userWith(balance: bigint): Promise<string> {
    const userId = `user-${randomUUID()}`;
    await createAccount(databases.payments, userId, undefined);
    await new TopUps(databases.payments).topUp({ userId, amount: balance, idempotencyKey: undefined });
    return userId;
  }

  /** A request for an order of so many days ago. */
  function request(userId: string, ageDays: number): Delivery {
    const orderId = uuidV7({ msecs: Date.now() - ageDays * dayMs });
    const message = toCloudEvent({ type: 'payment.requested.v1', orderId, userId, amount: 1_00n });
    return { message, jobId: randomUUID() };
  }

  function orderOf({ message }: Delivery): string {
    return (message as { subject: string }).subject;
  }

  /** Makes it look as if these requests had been processed so many days ago. */
  async function age(deliveries: Delivery[], days: number): Promise<void> {
    await sql(
      `update payments.inbox set processed_at = now() - interval '1 day' * $2 where order_id = any($1::uuid[])`,
      [deliveries.map(orderOf), days],
    );
  }

  /** Lets a pruning go through all there is; answers how much each pass pruned. */
  async function pruneAll(pruning: Pruning): Promise<number[]> {
    const passes: number[] = [];
    for (let passesLeft = 20; passesLeft > 0; passesLeft -= 1) {
      const { pruned, more } = await pruning.pruneOnce();
      passes.push(pruned);
      if (!more) return passes;
    }
    throw new Error('the walk has no end');
  }

  const inboxPruning = () => new InboxPruning({ database: databases.payments, retentionDays: 7 });

  async function inbox(): Promise<string[]> {
    const rows = await sql<{ order_id: string }>('select order_id from payments.inbox order by order_id');
    return rows.map(({ order_id }) => order_id);
  }

  it('prunes what was processed before the window, and nothing that waits or is younger', async () => {
    const userId = await userWith(100_00n);
    const old = request(userId, 9);
    const young = request(userId, 9);
    const fresh = request(userId, 0);
    const waiting = request(userId, 9);
    await receive([old, young, fresh]);
    await process();
    await receive([waiting]);
    await age([old], 8);
    await age([young], 6);
    expect(await pruneAll(inboxPruning())).to.deep.equal([1]);
    expect(await inbox()).to.deep.equal([young, fresh, waiting].map(orderOf).sort());
  });

  it('deletes at most 1,000 rows in a pass, and goes on until the window', async () => {
    const ids = Array.from({ length: 2_500 }, (_, index) =>
      uuidV7({ msecs: Date.now() - 9 * dayMs + index }),
    );
    await sql(
      `insert into payments.inbox (message_id, order_id, user_id, amount, job_id, processed_at)
       select id, id, 'u', 1, 'x', now() - interval '8 days' from unnest($1::uuid[]) id`,
      [ids],
    );
    expect(await pruneAll(inboxPruning())).to.deep.equal([1_000, 1_000, 500]);
    expect(await inbox()).to.deep.equal([]);
  });

  it('begins anew after the end: what was left behind is pruned when its time has come', async () => {
    const userId = await userWith(100_00n);
    const again = request(userId, 9);
    await receive([again]);
    await process();
    const pruning = inboxPruning();
    expect(await pruneAll(pruning)).to.deep.equal([0]);
    await age([again], 8);
    expect(await pruneAll(pruning)).to.deep.equal([1]);
  });

  it('charges nobody twice when everything is pruned and everything is delivered again', async () => {
    const userId = await userWith(60_00n);
    const poor = await userWith(50n);
    const deliveries = [
      ...Array.from({ length: 50 }, () => request(userId, 40)),
      ...Array.from({ length: 5 }, () => request(poor, 40)),
    ];
    await receive(deliveries);
    await process();
    // Could pay by now; the decision stands all the same.
    await new TopUps(databases.payments).topUp({ userId: poor, amount: 100_00n, idempotencyKey: undefined });
    const before = await money();
    await age(deliveries, 30);
    await pruneAll(inboxPruning());
    expect(await inbox()).to.deep.equal([]);
    for (let round = 0; round < 2; round += 1) {
      const { duplicates, deadLetters } = await receive(
        deliveries.map((one) => ({ ...one, jobId: randomUUID() })),
      );
      expect({ duplicates, deadLetters }).to.deep.equal({
        duplicates: round * deliveries.length,
        deadLetters: [],
      });
      await process();
    }
    expect(await money()).to.deep.equal(before);
    const answers = await sql<{ answers: number }>(
      `select count(*)::int as answers from payments.outbox, json_array_elements(messages) as message
        where message ->> 'subject' = any($1)`,
      [deliveries.map(orderOf)],
    );
    expect(answers[0]?.answers).to.equal(3 * deliveries.length);
  });

  /** Everything about money there is. */
  async function money() {
    return {
      accounts: await sql('select user_id, balance, entry_count from payments.accounts order by user_id'),
      entries: await sql('select user_id, seq, amount, order_id from payments.entries order by user_id, seq'),
      decisions: await sql('select order_id, outcome from payments.decisions order by order_id'),
    };
  }

  it('removes the keys of top-ups before the window, and stops where one must stay', async () => {
    const userId = await userWith(1_00n);
    const topUp = async (idempotencyKey: string, days: number) => {
      const { topup } = await new TopUps(databases.payments).topUp({ userId, amount: 1n, idempotencyKey });
      const id = uuidV7({ msecs: Date.now() - days * dayMs });
      await sql('set session_replication_role = replica');
      await sql(
        `update payments.topups set id = $2, created_at = now() - interval '1 day' * $3 where id = $1`,
        [topup.id, id, days],
      );
      await sql('set session_replication_role = origin');
    };
    await topUp('first', 40);
    await topUp('second', 31);
    await topUp('third', 29);
    const options = { database: databases.payments, table: 'payments.topups', retentionDays: 30 } as const;
    const pruning = new IdempotencyKeyPruning(options);
    expect(await pruneAll(pruning)).to.deep.equal([2]);
    expect(await pruneAll(pruning)).to.deep.equal([0]);
    const keys = await sql<{ idempotency_key: string }>(
      'select idempotency_key from payments.topups where idempotency_key is not null',
    );
    expect(keys.map(({ idempotency_key }) => idempotency_key)).to.deep.equal(['third']);
  });

  it('removes the keys of accounts before the window, pass by pass', async () => {
    await sql(
      `insert into payments.accounts (user_id, idempotency_key, created_at)
       select 'many-' || i, 'key-' || i, now() - interval '1 day' * (case when i % 10 = 0 then 29 else 31 end)
         from generate_series(1, 2500) i`,
    );
    const pruning = new AccountKeyPruning({ database: databases.payments, retentionDays: 30 });
    const passes = await pruneAll(pruning);
    expect(passes).to.have.length(3);
    expect(passes.reduce((sum, pruned) => sum + pruned, 0)).to.equal(2_250);
    expect(await pruneAll(pruning)).to.deep.equal([0]);
  });

  it('waits for nobody: an account that is locked keeps its key until the next walk', async () => {
    await sql(
      `insert into payments.accounts (user_id, idempotency_key, created_at)
       values ('hot', 'hot-key', now() - interval '31 days')`,
    );
    const pruning = new AccountKeyPruning({ database: databases.payments, retentionDays: 30 });
    await databases.payments.transaction(async (tx) => {
      await tx.query({
        name: 'lock_hot',
        text: `select from payments.accounts where user_id = 'hot' for no key update`,
      });
      expect(await pruneAll(pruning)).to.deep.equal([0]);
    });
    expect(await pruneAll(pruning)).to.deep.equal([1]);
  });

  it('keeps the id of a message in the order of its order, as the walk needs it', () => {
    const [earlier, later] = [uuidV7({ msecs: 1_700_000_000_000 }), uuidV7({ msecs: 1_700_000_000_001 })];
    const ids = [earlier, later].map((id) => messageId(id, 'payment.requested.v1'));
    expect(ids).to.deep.equal([...ids].sort());
  });
});
