import type { FastifyInstance } from 'fastify';
import type { Delivery } from '../messaging/broker/broker.ts';
import { refusalFields } from '../messaging/dead-letters.ts';
import { Service, type ServiceParts, type ServiceSettings } from '../messaging/service.ts';
import { Hints } from '../platform/hints.ts';
import { IdempotencyKeyPruning } from '../platform/idempotency-key-store.ts';
import { PassLoop } from '../platform/pass-loop.ts';
import { retentionLoop } from '../platform/retention.ts';
import { reportPayments } from './board.ts';
import { addPaymentRoutes } from './http.ts';
import { InboxPressure } from './inbox-pressure.ts';
import { type ExpectedRequest, processedMax, processRequests } from './process-requests.ts';
import { AccountKeyPruning } from './prune-account-keys.ts';
import { InboxPruning } from './prune-inbox.ts';
import { receiveDeliveries } from './receive-requests.ts';
import { TopUps } from './top-up.ts';
import { DecisionTrace, receiveTraced } from './traced-steps.ts';

/** The safety net: requests whose receiver died before it could poke are decided after at most this. */
const idleMs = 2_000;
/** With more requests than this there is more to gain from a large batch than from a hint. */
const hintsMax = 8;
/** Who holds an account is mostly another instance, for milliseconds: the wait begins so short, and doubles. */
const heldMsMin = 10;

/** The payments service: accounts and top-ups; receives requests (step 3), decides them (4), publishes (5), prunes. */
export function createPaymentsDaemon(settings: ServiceSettings): Service {
  return new Service('payments', settings, wirePayments);
}

function wirePayments({ database, outbox, relay, instruments, spans, retention, log }: ServiceParts) {
  const topUps = new TopUps(database);
  const pressure = new InboxPressure();
  const justReceived = new Hints<ExpectedRequest>(hintsMax);
  let heldPasses = 0;
  const receive = (deliveries: readonly Delivery[]) => receiveDeliveries(database, outbox, deliveries);
  const processing = new PassLoop({
    name: 'process-requests',
    idleMs,
    failed: () => instruments.retried('process-requests'),
    log,
    pass: async () => {
      const outcome = await processRequests(database, outbox, {
        measured: instruments.on,
        expected: justReceived.close(),
        trace: spans && new DecisionTrace(spans),
      }).finally(() => justReceived.open());
      const { processed, results, held, waitedSeconds } = outcome;
      instruments.decided(processed, waitedSeconds);
      pressure.decided(processed, { more: processed === processedMax });
      if (processed > 0) relay.poke(results);
      heldPasses = held > 0 ? heldPasses + 1 : 0;
      if (held > 0 && processed === 0) return Math.min(idleMs, heldMsMin * 2 ** heldPasses);
      return held > 0 || processed === processedMax;
    },
  });
  return {
    routes: (app: FastifyInstance) => addPaymentRoutes(app, { database, topUps }),
    queue: 'payment-requests' as const,
    handle: async (deliveries: Delivery[]) => {
      await pressure.untilRoom();
      const received = await (spans === undefined
        ? receive(deliveries)
        : receiveTraced(spans, deliveries, receive));
      const { stored, deadLetters } = received;
      pressure.received(stored.length);
      if (stored.length > 0) {
        justReceived.add(stored);
        processing.poke();
      }
      instruments.received(received);
      if (deadLetters.length > 0) {
        log.warn(refusalFields(deadLetters), 'messages refused');
        relay.poke();
      }
    },
    report: (orderIds: readonly string[]) => reportPayments(database, orderIds),
    loops: [processing, ...pruningLoops({ database, retention, log })],
  };
}

/** What removes, in the background, what was kept long enough. */
function pruningLoops({ database, retention, log }: Pick<ServiceParts, 'database' | 'retention' | 'log'>) {
  const retentionDays = retention.idempotencyRetentionDays;
  return [
    retentionLoop(
      'prune-inbox',
      new InboxPruning({ database, retentionDays: retention.inboxRetentionDays }),
      log,
    ),
    retentionLoop(
      'prune-topup-keys',
      new IdempotencyKeyPruning({ database, table: 'payments.topups', retentionDays }),
      log,
    ),
    retentionLoop('prune-account-keys', new AccountKeyPruning({ database, retentionDays }), log),
  ];
}
