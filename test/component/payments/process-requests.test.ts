import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import type { Delivery } from '../../../src/messaging/broker/broker.ts';
import { messageId, toCloudEvent } from '../../../src/messaging/messages.ts';
import { createAccount } from '../../../src/payments/accounts.ts';
import { processRequests } from '../../../src/payments/process-requests.ts';
import { receiveDeliveries } from '../../../src/payments/receive-requests.ts';
import { TopUps } from '../../../src/payments/top-up.ts';
import { useDatabases } from '../../support/databases.ts';

describe('payments: receive and process requests', () => {
  const databases = useDatabases();

  const receive = (deliveries: Delivery[]) =>
    receiveDeliveries(databases.payments, databases.paymentsOutbox, deliveries);
  const process = async () => (await processRequests(databases.payments, databases.paymentsOutbox)).processed;
  const sql = <Row extends object>(text: string, values?: unknown[]) =>
    databases.sql<Row>('payments', text, values);

  /** A user with an account of that balance, in minor units. */
  async function userWith(balance: bigint): Promise<string> {
    const userId = `user-${randomUUID()}`;
    await createAccount(databases.payments, userId, undefined);
    if (balance > 0n) {
      await new TopUps(databases.payments).topUp({ userId, amount: balance, idempotencyKey: undefined });
    }
    return userId;
  }

  function request(userId: string, amount: bigint, orderId: string = randomUUID()): Delivery {
    const message = toCloudEvent({ type: 'payment.requested.v1', orderId, userId, amount });
    return { message, jobId: randomUUID() };
  }

  function orderOf({ message }: Delivery): string {
    return (message as { subject: string }).subject;
  }

  async function decisionsOf(deliveries: Delivery[]): Promise<string[]> {
    const rows = await sql<{ order_id: string; outcome: string; reason: string | null }>(
      'select order_id, outcome, reason from payments.decisions where order_id = any($1)',
      [deliveries.map(orderOf)],
    );
    const byOrder = new Map(rows.map((row) => [row.order_id, row.reason ?? row.outcome]));
    return deliveries.map((delivery) => byOrder.get(orderOf(delivery)) ?? 'none');
  }

  async function balanceOf(userId: string): Promise<string> {
    const rows = await sql<{ balance: string }>('select balance from payments.accounts where user_id = $1', [
      userId,
    ]);
    return rows[0]?.balance ?? 'none';
  }

  async function resultsFor(deliveries: Delivery[]): Promise<{ type: string; data: { reason?: string } }[]> {
    const rows = await sql<{ message: { type: string; subject: string; data: { reason?: string } } }>(
      `select message from payments.outbox, json_array_elements(messages) as message where message ->> 'subject' = any($1) order by seq`,
      [deliveries.map(orderOf)],
    );
    return rows.map(({ message }) => message);
  }

  it('pays two of three orders of 50 on a balance of 100, in the order they came', async () => {
    const userId = await userWith(100_00n);
    const batch = [request(userId, 50_00n), request(userId, 50_00n), request(userId, 50_00n)];
    for (const delivery of batch) await receive([delivery]);
    await process();
    expect(await decisionsOf(batch)).to.deep.equal(['paid', 'paid', 'INSUFFICIENT_FUNDS']);
    expect(await balanceOf(userId)).to.equal('0');
    const entries = await sql<{ seq: string; amount: string; balance: string }>(
      'select seq, amount, balance from payments.entries where user_id = $1 order by seq',
      [userId],
    );
    expect(entries).to.deep.equal([
      { seq: '1', amount: '10000', balance: '10000' },
      { seq: '2', amount: '-5000', balance: '5000' },
      { seq: '3', amount: '-5000', balance: '0' },
    ]);
    expect((await resultsFor(batch)).map(({ type, data }) => [type, data.reason])).to.deep.equal([
      ['payment.succeeded.v1', undefined],
      ['payment.succeeded.v1', undefined],
      ['payment.failed.v1', 'INSUFFICIENT_FUNDS'],
    ]);
  });

  it('cancels an order of a user without an account', async () => {
    const batch = [request('nobody-here', 1n)];
    await receive(batch);
    await process();
    expect(await decisionsOf(batch)).to.deep.equal(['ACCOUNT_NOT_FOUND']);
  });

  it('decides what arrives behind what waited before, and answers how often it came', async () => {
    const userId = await userWith(100_00n);
    const [first, second] = [request(userId, 70_00n), request(userId, 70_00n)];
    const arriving = (delivery: Delivery) => {
      const orderId = orderOf(delivery);
      const asked = { type: 'payment.requested.v1', orderId, userId, amount: 70_00n } as const;
      const id = messageId(orderId, asked.type);
      return { messageId: id, request: asked, jobId: delivery.jobId, deliveries: 1 };
    };
    const decide = async (delivery: Delivery) => {
      const options = { arriving: [arriving(delivery)] };
      const pass = await processRequests(databases.payments, databases.paymentsOutbox, options);
      const results = pass.results.map(({ orderId }) => orderId);
      return { results, counts: [...pass.stored.values()] };
    };
    await receive([first]);
    expect(await decide(second)).to.deep.equal({
      results: [orderOf(first), orderOf(second)],
      counts: [1],
    });
    expect(await decisionsOf([first, second])).to.deep.equal(['paid', 'INSUFFICIENT_FUNDS']);
    expect(await decide(second)).to.deep.equal({ results: [orderOf(second)], counts: [2] });
    expect(await balanceOf(userId)).to.equal('3000');
  });

  it('charges once when the message arrives twice in one batch', async () => {
    const userId = await userWith(100_00n);
    const delivery = request(userId, 30_00n);
    const { stored, duplicates } = await receive([delivery, { ...delivery, jobId: randomUUID() }]);
    expect({ stored: stored.length, duplicates }).to.deep.equal({ stored: 1, duplicates: 1 });
    await process();
    expect(await balanceOf(userId)).to.equal('7000');
  });

  it('charges once when the message comes again a day later under another job, and answers it again', async () => {
    const userId = await userWith(100_00n);
    const delivery = request(userId, 30_00n);
    await receive([delivery]);
    await process();
    await sql(
      `update payments.inbox set received_at = received_at - interval '1 day', processed_at = processed_at - interval '1 day'
        where order_id = $1`,
      [orderOf(delivery)],
    );
    const again = await receive([{ ...delivery, jobId: randomUUID() }]);
    expect(again.duplicates).to.equal(1);
    await process();
    expect(await balanceOf(userId)).to.equal('7000');
    expect((await resultsFor([delivery])).map(({ type }) => type)).to.deep.equal([
      'payment.succeeded.v1',
      'payment.succeeded.v1',
    ]);
  });

  it('tells of what is timed the first delivery of each message, and how long what it decides has waited', async () => {
    const userId = await userWith(100_00n);
    const [one, other, late] = [request(userId, 1n), request(userId, 2n), request(userId, 3n)];
    const bad = { message: 'garbage', jobId: randomUUID() };
    const first = await receive([one, { ...one, jobId: randomUUID() }, bad, other]);
    expect(first.firsts).to.deep.equal([one, other]);
    const [row] = await sql<{ at: number }>(
      'select (extract(epoch from received_at) * 1000)::float8 as at from payments.inbox where order_id = $1',
      [orderOf(one)],
    );
    expect(first.begunAt, 'the moment in the inbox, of the same clock').to.be.within(
      (row?.at ?? 0) - 1_000,
      row?.at ?? 0,
    );
    const measure = () => processRequests(databases.payments, databases.paymentsOutbox, { measured: true });
    expect((await measure()).waitedSeconds).to.have.length(2);
    await sql(`update payments.inbox set received_at = received_at - interval '1 day'`);
    expect((await receive([one, late])).firsts).to.deep.equal([late]);
    const { processed, waitedSeconds } = await measure();
    expect(processed).to.equal(2);
    expect(waitedSeconds).to.have.length(1);
    expect(waitedSeconds[0]).to.be.below(3_600);
  });

  it('charges once even when the inbox was pruned between two deliveries', async () => {
    const userId = await userWith(100_00n);
    const delivery = request(userId, 30_00n);
    await receive([delivery]);
    await process();
    await sql('delete from payments.inbox');
    await receive([delivery]);
    await process();
    expect(await balanceOf(userId)).to.equal('7000');
  });

  it('sends one bad message among 500 to the dead letters, alone, with its reason', async () => {
    const userId = await userWith(1_000_00n);
    const good = Array.from({ length: 499 }, () => request(userId, 1_00n));
    const bad = { message: { type: 'payment.requested.v2', odd: '\ud83d\ude00' }, jobId: randomUUID() };
    const batch = [...good.slice(0, 250), bad, ...good.slice(250)];
    const { stored, deadLetters } = await receive(batch);
    expect(stored).to.have.length(499);
    expect(deadLetters.map(({ reason }) => reason)).to.deep.equal(['unknown-type']);
    await process();
    expect(new Set(await decisionsOf(good))).to.deep.equal(new Set(['paid']));
    const letters = await sql<{
      message: object;
      dead_letter: { reason: string; queue: string; job_id: string };
    }>(
      `select messages -> 0 as message, dead_letter from payments.outbox where dead_letter ->> 'job_id' = $1`,
      [bad.jobId],
    );
    expect(letters).to.have.length(1);
    expect(letters[0]?.message).to.deep.equal(bad.message);
    expect(letters[0]?.dead_letter).to.include({ queue: 'payment-requests', job_id: bad.jobId });
  });

  it('keeps whatever garbage a queue may hold as dead letters, and stores nothing of it', async () => {
    const valid = toCloudEvent({
      type: 'payment.requested.v1',
      orderId: randomUUID(),
      userId: 'u',
      amount: 1n,
    });
    const garbage: unknown[] = [
      null,
      5,
      'text',
      [],
      {},
      { ...valid, type: 'payment.succeeded.v1' },
      { ...valid, id: randomUUID() },
      { ...valid, subject: 'x' },
      { ...valid, data: null },
      { ...valid, data: { ...valid.data, amount: '-1.00' } },
      { ...valid, data: { ...valid.data, amount: 12 } },
      { ...valid, data: { ...valid.data, amount: '10000000000000.00' } },
      { ...valid, data: { ...valid.data, user_id: 'a b' } },
      { ...valid, data: { ...valid.data, order_id: undefined } },
    ];
    const jobId = randomUUID();
    const { stored, deadLetters } = await receive(garbage.map((message) => ({ message, jobId })));
    expect(stored).to.deep.equal([]);
    expect(deadLetters).to.have.length(garbage.length);
    const [row] = await sql<{ count: string }>(
      `select count(*) from payments.outbox where dead_letter ->> 'job_id' = $1`,
      [jobId],
    );
    expect(row?.count).to.equal(String(garbage.length));
  });

  it('lets a decision stand when a request says something else about the order', async () => {
    const userId = await userWith(100_00n);
    const first = request(userId, 30_00n);
    await receive([first]);
    await process();
    const contrary = request(userId, 99_00n, orderOf(first));
    const { deadLetters } = await receive([contrary]);
    expect(deadLetters.map(({ reason }) => reason)).to.deep.equal(['contradicts-decision']);
    await sql('delete from payments.inbox');
    await receive([contrary]);
    await process();
    expect(await balanceOf(userId)).to.equal('7000');
    const letters = await sql<{ reason: string }>(
      `select dead_letter ->> 'reason' as reason from payments.outbox
        where dead_letter is not null and messages -> 0 ->> 'subject' = $1`,
      [orderOf(first)],
    );
    expect(letters.map(({ reason }) => reason)).to.deep.equal([
      'contradicts-decision',
      'contradicts-decision',
    ]);
  });

  it('decides each request once when several instances process at the same time', async () => {
    const userId = await userWith(1_000_00n);
    const batch = Array.from({ length: 200 }, () => request(userId, 10_00n));
    await Promise.all(batch.map((delivery) => receive([delivery, delivery])));
    await Promise.all([process(), process(), process(), process()]);
    while ((await process()) > 0);
    const outcomes = await decisionsOf(batch);
    expect(outcomes.filter((outcome) => outcome === 'paid')).to.have.length(100);
    expect(outcomes.filter((outcome) => outcome === 'INSUFFICIENT_FUNDS')).to.have.length(100);
    expect(await balanceOf(userId)).to.equal('0');
  });

  it('gives the message of an order the same id always', () => {
    const orderId = randomUUID();
    expect(messageId(orderId, 'payment.requested.v1')).to.equal(messageId(orderId, 'payment.requested.v1'));
    expect(messageId(orderId, 'payment.requested.v1')).not.to.equal(messageId(orderId, 'payment.failed.v1'));
  });
});
