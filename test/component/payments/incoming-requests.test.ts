import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import pg from 'pg';
import type { Delivery } from '../../../src/messaging/broker/broker.ts';
import { noInstruments } from '../../../src/messaging/instruments.ts';
import { type PaymentResult, toCloudEvent } from '../../../src/messaging/messages.ts';
import { createAccount } from '../../../src/payments/accounts.ts';
import { IncomingRequests } from '../../../src/payments/incoming-requests.ts';
import { TopUps } from '../../../src/payments/top-up.ts';
import type { Database } from '../../../src/platform/database.ts';
import { useDatabases } from '../../support/databases.ts';
import { silentLog } from '../../support/test-server.ts';

/** One more than are received and decided at once. */
const tooMany = 9;

describe('payments: incoming requests', () => {
  const databases = useDatabases();
  const sql = <Row extends object>(text: string, values?: unknown[]) =>
    databases.sql<Row>('payments', text, values);
  let announced: string[];
  let requests: IncomingRequests;

  beforeEach(() => {
    announced = [];
    requests = incoming(databases.payments);
  });

  function incoming(database: Database): IncomingRequests {
    const afterCommit = (results: readonly PaymentResult[]) => {
      announced.push(...results.map(({ orderId }) => orderId));
    };
    const instruments = noInstruments;
    const outbox = databases.paymentsOutbox;
    return new IncomingRequests({
      database,
      outbox,
      instruments,
      spans: undefined,
      log: silentLog,
      afterCommit,
    });
  }

  async function userWith(balance: bigint): Promise<string> {
    const userId = `user-${randomUUID()}`;
    await createAccount(databases.payments, userId, undefined);
    await new TopUps(databases.payments).topUp({ userId, amount: balance, idempotencyKey: undefined });
    return userId;
  }

  function request(userId: string, amount: bigint, orderId: string = randomUUID()): Delivery {
    const message = toCloudEvent({ type: 'payment.requested.v1', orderId, userId, amount });
    return { message, jobId: randomUUID() };
  }

  function orderOf({ message }: Delivery): string {
    return (message as { subject: string }).subject;
  }

  /** What stands in the inbox of these, and what was decided: `waits`, `paid`, a reason, or `none`. */
  async function standingOf(deliveries: readonly Delivery[]): Promise<string[]> {
    const rows = await sql<{ order_id: string; standing: string }>(
      `select inbox.order_id, coalesce(reason, outcome, 'undecided') || case when processed_at is null then ' waits' else '' end as standing
         from payments.inbox left join payments.decisions using (order_id) where inbox.order_id = any($1)`,
      [deliveries.map(orderOf)],
    );
    const byOrder = new Map(rows.map(({ order_id, standing }) => [order_id, standing]));
    return deliveries.map((delivery) => byOrder.get(orderOf(delivery)) ?? 'none');
  }

  async function balanceOf(userId: string): Promise<string | undefined> {
    const rows = await sql<{ balance: string }>('select balance from payments.accounts where user_id = $1', [
      userId,
    ]);
    return rows[0]?.balance;
  }

  it('are decided as they are received while nothing waits, in the order they came', async () => {
    const userId = await userWith(100_00n);
    const batch = [request(userId, 50_00n), request(userId, 50_00n), request(userId, 50_00n)];
    await requests.processOnce();
    for (const delivery of batch) {
      const { firsts, duplicates, deadLetters } = await requests.receive([delivery]);
      expect({ firsts, duplicates, deadLetters }).to.deep.equal({
        firsts: [delivery],
        duplicates: 0,
        deadLetters: [],
      });
    }
    expect(await standingOf(batch)).to.deep.equal(['paid', 'paid', 'INSUFFICIENT_FUNDS']);
    expect(await balanceOf(userId)).to.equal('0');
    expect(announced, 'their results, at hand for who publishes them').to.deep.equal(batch.map(orderOf));
    const [written] = await sql<{ count: string }>(
      `select count(*) from payments.outbox, json_array_elements(messages) as message where message ->> 'subject' = any($1)`,
      [batch.map(orderOf)],
    );
    expect(written?.count).to.equal('3');
  });

  it('wait for a pass that takes all, before it is known that nothing waits and when there are many', async () => {
    const userId = await userWith(100_00n);
    const early = request(userId, 1_00n);
    await requests.receive([early]);
    expect(await standingOf([early])).to.deep.equal(['undecided waits']);
    await requests.processOnce();
    const many = Array.from({ length: tooMany }, () => request(userId, 1_00n));
    await requests.receive(many);
    expect(new Set(await standingOf(many))).to.deep.equal(new Set(['undecided waits']));
    await requests.processOnce();
    expect(new Set(await standingOf([early, ...many]))).to.deep.equal(new Set(['paid']));
    expect(await balanceOf(userId)).to.equal('9000');
  });

  it('charge once and answer again when they come again', async () => {
    const userId = await userWith(100_00n);
    const delivery = request(userId, 30_00n);
    await requests.processOnce();
    const first = await requests.receive([delivery, { ...delivery, jobId: randomUUID() }]);
    const again = await requests.receive([{ ...delivery, jobId: randomUUID() }]);
    expect([first.duplicates, again.duplicates]).to.deep.equal([1, 1]);
    expect([...again.counts.values()]).to.deep.equal([3]);
    expect(await balanceOf(userId)).to.equal('7000');
    expect(announced).to.deep.equal([orderOf(delivery), orderOf(delivery)]);
    const contrary = request(userId, 99_00n, orderOf(delivery));
    const { deadLetters } = await requests.receive([contrary, { message: 'garbage', jobId: randomUUID() }]);
    expect(deadLetters.map(({ reason }) => reason)).to.have.members(['contradicts-decision', 'unknown-type']);
    expect(await balanceOf(userId)).to.equal('7000');
  });

  it('are received, and decided later, while somebody holds the account; those of others are not held back', async () => {
    const [held, free] = [await userWith(100_00n), await userWith(100_00n)];
    const holder = new pg.Client({ connectionString: databases.adminUrls.payments });
    await holder.connect();
    await requests.processOnce();
    const [first, other, second] = [request(held, 70_00n), request(free, 70_00n), request(held, 50_00n)];
    try {
      await holder.query('begin');
      await holder.query('select from payments.accounts where user_id = $1 for update', [held]);
      await requests.receive([first, other]);
      expect(await standingOf([first, other])).to.deep.equal(['undecided waits', 'paid']);
      await requests.receive([second]);
      await holder.query('commit');
    } finally {
      await holder.end();
    }
    await requests.processOnce();
    expect(await standingOf([first, second])).to.deep.equal(['paid', 'INSUFFICIENT_FUNDS']);
  });

  it('are received all the same when they cannot be decided', async () => {
    const userId = await userWith(100_00n);
    const delivery = request(userId, 30_00n);
    await requests.processOnce();
    await sql('alter table payments.decisions add constraint none_now check (false) not valid');
    try {
      const { firsts } = await requests.receive([delivery]);
      expect(firsts).to.deep.equal([delivery]);
      expect(await standingOf([delivery])).to.deep.equal(['undecided waits']);
    } finally {
      await sql('alter table payments.decisions drop constraint none_now');
    }
    await requests.processOnce();
    expect(await standingOf([delivery])).to.deep.equal(['paid']);
  });

  it('are not counted twice when the answer to their commit is lost', async () => {
    const userId = await userWith(100_00n);
    const delivery = request(userId, 30_00n);
    const lost = Object.assign(new Error('the answer is lost'), { code: 'ECONNRESET' });
    let isLost = false;
    const { payments } = databases;
    const transaction = async (...args: Parameters<Database['transaction']>) => {
      const answer = await payments.transaction(...args);
      if (isLost) throw lost;
      return answer;
    };
    requests = incoming({ query: payments.query.bind(payments), transaction } as Database);
    await requests.processOnce();
    isLost = true;
    const failure = await requests.receive([delivery]).catch((error: unknown) => error);
    expect(failure).to.equal(lost);
    isLost = false;
    const { duplicates, counts } = await requests.receive([delivery]);
    expect({ duplicates, counts: [...counts.values()] }).to.deep.equal({ duplicates: 1, counts: [2] });
    await requests.processOnce();
    expect(await balanceOf(userId)).to.equal('7000');
  });
});
