import fc from 'fast-check';
import { declineReasons, type Message } from '../../src/messaging/messages.ts';
import { amountMax } from '../../src/platform/money.ts';

/** What properties are tried on: every value the rules allow. fast-check prints the seed of a failure. */

export const amounts = fc.bigInt({ min: 1n, max: amountMax });

export const userIds = fc.stringMatching(/^[A-Za-z0-9._@:-]{1,64}$/);

export const traceparents = fc.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/);

const facts = {
  orderId: fc.uuid(),
  userId: userIds,
  amount: amounts,
  traceparent: fc.option(traceparents, { nil: undefined }),
};

export const paymentRequests = fc.record({ type: fc.constant('payment.requested.v1' as const), ...facts });

export const paymentResults = fc.oneof(
  fc.record({ type: fc.constant('payment.succeeded.v1' as const), ...facts }),
  fc.record({
    type: fc.constant('payment.failed.v1' as const),
    ...facts,
    reason: fc.constantFrom(...declineReasons),
  }),
);

export const messages: fc.Arbitrary<Message> = fc.oneof(paymentRequests, paymentResults);
