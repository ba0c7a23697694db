import type { FastifyInstance } from 'fastify';
import type { Delivery } from '../messaging/broker/broker.ts';
import { refusalFields } from '../messaging/dead-letters.ts';
import { Service, type ServiceParts, type ServiceSettings } from '../messaging/service.ts';
import { IdempotencyKeyPruning } from '../platform/idempotency-key-store.ts';
import { PassLoop } from '../platform/pass-loop.ts';
import { retentionLoop } from '../platform/retention.ts';
import { reportOrders } from './board.ts';
import { OrderCreation } from './create-orders.ts';
import { addOrderRoutes } from './http.ts';
import { PublicationWatch } from './publication-watch.ts';
import { settleDeliveries } from './settle-orders.ts';
import { SettlementWatch } from './settlement-watch.ts';
import { patienceInBacklog, requestedBefore, sweepOrders, sweptAll } from './sweep-orders.ts';
import { settleTraced } from './traced-steps.ts';

/** How often overdue orders are looked for; they are so only after 25 s. */
const sweepMs = 2_000;

/** The orders service: creates orders (step 1), publishes their requests (2), settles results (6), sweeps, prunes. */
export function createOrdersDaemon(settings: ServiceSettings): Service {
  return new Service('orders', settings, wireOrders);
}

function wireOrders({ database, outbox, relay, broker, instruments, spans, retention, log }: ServiceParts) {
  const creation = new OrderCreation({
    database,
    afterCommit: (requests) => relay.poke(requests),
    instruments,
    spans,
  });
  const settle = (deliveries: readonly Delivery[]) => settleDeliveries(database, outbox, deliveries);
  const watch = new SettlementWatch({ database, log });
  const publications = new PublicationWatch({ database, log });
  /** When the broker was found to have lost what it was told, until all that waits is requested again. */
  let forgottenAt: number | undefined;
  /** When the broker was made; undefined until it could be asked. */
  let brokerMadeAt: number | undefined;
  /** Whether nobody keeps up with the queues, as far as the last pass that requested something could tell. */
  let inBacklog = false;
  const sweep = new PassLoop({
    name: 'sweep',
    idleMs: sweepMs,
    failed: () => instruments.retried('sweep'),
    log,
    pass: async () => {
      // Another process has published what waits: whether the broker was made anew since, only its age can tell.
      if (brokerMadeAt === undefined) {
        const ageMs = await broker.ageMs().catch(() => undefined);
        if (ageMs !== undefined) brokerMadeAt = performance.now() - ageMs;
        forgottenAt ??= brokerMadeAt;
      }
      // A broker that is away has told nothing; the sweep itself needs the orders' database alone.
      if (await broker.hasForgotten().catch(() => false)) {
        log.warn('the broker has lost messages: requesting the payment of all waiting orders again');
        forgottenAt = performance.now();
      }
      const patience = inBacklog ? patienceInBacklog : undefined;
      const requested = await sweepOrders(
        database,
        outbox,
        forgottenAt === undefined ? patience : requestedBefore(performance.now() - forgottenAt),
      );
      if (!sweptAll(requested)) forgottenAt = undefined;
      if (requested > 0) {
        instruments.swept(requested);
        log.info({ orders: requested }, 'overdue orders requested again');
        relay.poke();
      }
      // A long backlog looks like a loss, and requesting all of it again would double it: at full speed only
      // what is lost. What waits for nothing in the queues is.
      if (requested > 0 || inBacklog) inBacklog = await broker.hasBacklog().catch(() => true);
      return forgottenAt !== undefined || (sweptAll(requested) && !inBacklog);
    },
  });
  const keys = new IdempotencyKeyPruning({
    database,
    table: 'orders.orders',
    retentionDays: retention.idempotencyRetentionDays,
  });
  return {
    routes: (app: FastifyInstance) => addOrderRoutes(app, { database, creation, watch, publications, log }),
    queue: 'payment-results' as const,
    handle: async (deliveries: Delivery[]) => {
      const outcome = await (spans === undefined
        ? settle(deliveries)
        : settleTraced(spans, deliveries, settle));
      const { settled, deadLetters } = outcome;
      watch.settled(settled);
      instruments.settled(deliveries, outcome);
      if (deadLetters.length > 0) {
        log.warn(refusalFields(deadLetters), 'messages refused');
        relay.poke();
      }
    },
    report: (ids: readonly string[]) => reportOrders(database, ids),
    loops: [watch, publications, sweep, retentionLoop('prune-order-keys', keys, log)],
  };
}
