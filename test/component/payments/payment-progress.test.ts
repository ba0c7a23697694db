import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { toCloudEvent } from '../../../src/messaging/messages.ts';
import { findPaymentProgress } from '../../../src/payments/payment-progress.ts';
import { processRequests } from '../../../src/payments/process-requests.ts';
import { receiveDeliveries } from '../../../src/payments/receive-requests.ts';
import { anyone } from '../../../src/platform/identity/principal.ts';
import { useDatabases } from '../../support/databases.ts';
import { refusal } from '../../support/refusal.ts';

describe('payments: how far a payment has come', () => {
  const databases = useDatabases();
  const progress = (id: string) => findPaymentProgress(databases.payments, id, anyone);
  const receive = (...ids: string[]) => {
    const deliveries = ids.map((orderId) => ({
      message: toCloudEvent({ type: 'payment.requested.v1', orderId, userId: 'nobody', amount: 1n }),
      jobId: randomUUID(),
    }));
    return receiveDeliveries(databases.payments, databases.paymentsOutbox, deliveries);
  };
  const decide = () => processRequests(databases.payments, databases.paymentsOutbox);
  const publish = () =>
    databases.payments.transaction(async (tx) => {
      databases.paymentsOutbox.remove(tx, await databases.paymentsOutbox.take(tx, 10_000));
    });

  it('is not known before its request arrives', async () => {
    await refusal('payment-not-found', () => progress(randomUUID()));
  });

  it('goes from received by decided to published', async () => {
    const id = randomUUID();
    await receive(id);
    const received = await progress(id.toUpperCase());
    expect(received).to.deep.include({ order_id: id, decided_at: null, outcome: null, published: false });
    expect(Date.parse(received.received_at ?? '')).to.be.greaterThan(0);
    await decide();
    const decided = { outcome: 'failed', reason: 'ACCOUNT_NOT_FOUND' };
    expect(await progress(id)).to.deep.include({ ...decided, published: false });
    await publish();
    expect(await progress(id)).to.deep.include({ ...decided, published: true });
  });

  it('stays published when the request comes again and is answered again', async () => {
    const id = randomUUID();
    await receive(id);
    await decide();
    await publish();
    await receive(id);
    await decide();
    expect(await progress(id)).to.deep.include({ published: true });
    await publish();
  });

  it('is known from the decision when the inbox is pruned', async () => {
    const id = randomUUID();
    await receive(id);
    await decide();
    await databases.sql('payments', 'delete from payments.inbox where order_id = $1', [id]);
    expect(await progress(id)).to.deep.include({ received_at: null, outcome: 'failed' });
    await publish();
  });

  it('is told by age behind a backlog longer than what is looked through', async () => {
    await databases.sql(
      'payments',
      `insert into payments.outbox (queue, messages, message_count)
       select 'payment-results', '[{}]', 1 from generate_series(1, 2500)`,
    );
    const late = randomUUID();
    await receive(late);
    await decide();
    expect(await progress(late)).to.deep.include({ outcome: 'failed', published: false });
    await publish();
    expect(await progress(late)).to.deep.include({ published: true });
  });
});
