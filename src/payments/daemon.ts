import type { FastifyInstance } from 'fastify';
import type { Delivery } from '../messaging/broker/broker.ts';
import { refusalFields } from '../messaging/dead-letters.ts';
import { Service, type ServiceParts, type ServiceSettings } from '../messaging/service.ts';
import { IdempotencyKeyPruning } from '../platform/idempotency-key-store.ts';
import { retentionLoop } from '../platform/retention.ts';
import { reportPayments } from './board.ts';
import { addPaymentRoutes } from './http.ts';
import { IncomingRequests } from './incoming-requests.ts';
import { AccountKeyPruning } from './prune-account-keys.ts';
import { InboxPruning } from './prune-inbox.ts';
import { TopUps } from './top-up.ts';

/** The payments service: accounts and top-ups; receives requests (step 3), decides them (4), publishes (5), prunes. */
export function createPaymentsDaemon(settings: ServiceSettings): Service {
  return new Service('payments', settings, wirePayments);
}

function wirePayments(parts: ServiceParts) {
  const { database, relay, log } = parts;
  const topUps = new TopUps(database);
  const requests = new IncomingRequests({ ...parts, afterCommit: (results) => relay.poke(results) });
  return {
    routes: (app: FastifyInstance) => addPaymentRoutes(app, { database, topUps }),
    queue: 'payment-requests' as const,
    handle: async (deliveries: Delivery[]) => {
      const { deadLetters } = await requests.receive(deliveries);
      if (deadLetters.length === 0) return;
      log.warn(refusalFields(deadLetters), 'messages refused');
      relay.poke();
    },
    report: (orderIds: readonly string[]) => reportPayments(database, orderIds),
    loops: [requests.processing, ...pruningLoops(parts)],
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
