import { expect } from 'chai';
import { readDepths } from '../../../src/messaging/depth-store.ts';
import { useDatabases } from '../../support/databases.ts';

describe('messaging: depths of outbox and inbox', () => {
  const databases = useDatabases();

  it('are zero, and of no age, when nothing waits', async () => {
    expect(await readDepths(databases.orders, 'orders')).to.deep.equal([
      { name: 'orders-outbox', depth: 0, oldestSeconds: 0 },
    ]);
  });

  it('count messages that wait, not rows nor what is done, and tell the age of the oldest', async () => {
    await databases.sql(
      'payments',
      `insert into payments.inbox (message_id, order_id, user_id, amount, job_id, received_at, processed_at)
       select gen_random_uuid(), gen_random_uuid(), 'nobody', 1, 'job', now() - interval '1 hour' * i,
              case when i > 3 then now() end
         from generate_series(5, 1, -1) i`,
    );
    await databases.sql(
      'payments',
      `insert into payments.outbox (queue, messages, message_count, created_at)
       values ('payment-results', '[]', 40, now() - interval '1 minute'), ('payment-results', '[]', 2, now())`,
    );
    const depths = await readDepths(databases.payments, 'payments');
    expect(depths.map(({ name, depth }) => [name, depth])).to.deep.equal([
      ['payments-inbox', 3],
      ['payments-outbox', 42],
    ]);
    const [inbox, outbox] = depths.map(({ oldestSeconds }) => oldestSeconds);
    expect(inbox).to.be.within(3 * 3_600, 3 * 3_600 + 600);
    expect(outbox).to.be.within(60, 660);
  });

  it('are estimated beyond ten thousand rows', async () => {
    await databases.sql(
      'orders',
      `insert into orders.outbox (queue, messages, message_count)
       select 'payment-requests', '[]', 2 from generate_series(1, 25000)`,
    );
    const [outbox] = await readDepths(databases.orders, 'orders');
    expect(outbox?.depth).to.equal(50_000);
  });
});
