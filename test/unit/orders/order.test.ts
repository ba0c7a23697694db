import { expect } from 'chai';
import fc from 'fast-check';
import {
  asCreated,
  isFinal,
  isSameRequest,
  type Order,
  type OrderRequest,
  settlementOf,
  viewOrder,
} from '../../../src/orders/order.ts';
import { paymentResults } from '../../support/arbitraries.ts';

const canceled: Order = {
  id: '0199f0a4-5f6b-7c3e-9d2a-3b1f0c8e7d65',
  userId: 'alice',
  amount: 4990n,
  description: 'two tickets',
  status: 'CANCELED',
  reason: 'INSUFFICIENT_FUNDS',
  createdAt: new Date('2026-01-31T12:00:00.000Z'),
  settledAt: new Date('2026-01-31T12:00:00.020Z'),
};

describe('order', () => {
  it('is final once its payment is decided', () => {
    expect(isFinal({ status: 'NEW' })).to.equal(false);
    expect(isFinal({ status: 'FINISHED' })).to.equal(true);
    expect(isFinal({ status: 'CANCELED' })).to.equal(true);
  });

  it('is FINISHED by a payment that succeeded, and CANCELED, with the reason, by one that failed', () => {
    fc.assert(
      fc.property(paymentResults, (result) => {
        const { status, reason, orderId } = settlementOf(result);
        expect(orderId).to.equal(result.orderId);
        expect(isFinal({ status })).to.equal(true);
        if (result.type === 'payment.succeeded.v1')
          expect([status, reason]).to.deep.equal(['FINISHED', null]);
        else expect([status, reason]).to.deep.equal(['CANCELED', result.reason]);
      }),
    );
  });

  it('was NEW when it was created, and nothing else is different', () => {
    const { status, reason, settledAt, ...rest } = asCreated(canceled);
    expect({ status, reason, settledAt }).to.deep.equal({ status: 'NEW', reason: null, settledAt: null });
    expect(canceled).to.include(rest);
    expect(asCreated(asCreated(canceled))).to.deep.equal(asCreated(canceled));
  });

  it('is what a repeated request asks for only when user, amount and description are the same', () => {
    const request: OrderRequest = {
      userId: 'alice',
      amount: 4990n,
      description: 'two tickets',
      idempotencyKey: 'key',
      traceparent: undefined,
    };
    expect(isSameRequest(canceled, request)).to.equal(true);
    expect(isSameRequest(canceled, { ...request, traceparent: '00-…' })).to.equal(true);
    expect(isSameRequest(canceled, { ...request, userId: 'bob' })).to.equal(false);
    expect(isSameRequest(canceled, { ...request, amount: 4991n })).to.equal(false);
    expect(isSameRequest(canceled, { ...request, description: 'Two tickets' })).to.equal(false);
  });

  it('is shown with a decimal amount and ISO times', () => {
    expect(viewOrder(canceled)).to.deep.equal({
      id: canceled.id,
      user_id: 'alice',
      amount: '49.90',
      description: 'two tickets',
      status: 'CANCELED',
      reason: 'INSUFFICIENT_FUNDS',
      created_at: '2026-01-31T12:00:00.000Z',
      settled_at: '2026-01-31T12:00:00.020Z',
    });
    expect(viewOrder(asCreated(canceled)).settled_at).to.equal(null);
  });
});
