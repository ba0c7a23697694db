import type { StoredDepth } from '../../messaging/depth-store.ts';
import type { QueueDepth } from '../../messaging/queue-depth-store.ts';
import type { DatabaseName } from '../../platform/config.ts';
import type { Queryable } from '../../platform/database.ts';
import { readClock } from '../common-clock.ts';
import { type QueueView, queueStatements, queueViews } from '../queues.ts';
import type { ReadOnlyDatabases } from '../read-only-databases.ts';
import { readBroker } from './read-broker.ts';
import { readOrders, readPayments } from './read-services.ts';
import type { Facts } from './trace-facts.ts';

/** Asks the daemons how they are. Never rejects. */
export type AskHealth = () => Promise<NonNullable<Facts['health']>>;

/** Reads in a database; undefined when it is away, which is noted. */
type Read = <Result>(
  name: DatabaseName,
  work: (db: Queryable) => Promise<Result>,
) => Promise<Result | undefined>;

/**
 * Reads everything the three databases know about an order, in the order a message takes, so that one that
 * moves meanwhile is met further on: orders, then payments for what is decided, then the queues.
 */
export async function collectFacts(
  databases: ReadOnlyDatabases,
  orderId: string,
  askHealth: AskHealth | undefined,
): Promise<Facts> {
  const facts: Facts = {
    orderId,
    orders: undefined,
    payments: undefined,
    broker: undefined,
    clocks: {},
    away: [],
    queues: [],
  };
  const read: Read = async (name, work) => {
    const outcome = await databases.in(name, async (db) => {
      facts.clocks[name] ??= await readClock(db);
      return work(db);
    });
    if ('result' in outcome) return outcome.result;
    if (!facts.away.some(({ database }) => database === name)) {
      facts.away.push({ database: name, message: outcome.away });
    }
    return undefined;
  };
  facts.orders = await read('orders', (db) => readOrders(db, orderId));
  const order = facts.orders?.order ?? undefined;
  const isOpen = order === undefined || order.status === 'NEW';
  facts.payments = await read('payments', (db) => readPayments(db, orderId, order));
  facts.broker = await read('broker', (db) => readBroker(db, facts));
  if (isOpen) [facts.queues, facts.health] = await Promise.all([readQueues(read), askHealth?.()]);
  return facts;
}

/** How the places stand where messages wait, as far as their databases say. */
async function readQueues(read: Read): Promise<QueueView[]> {
  const [orders = [], payments = [], broker = []] = await Promise.all([
    read('orders', (db) => db.query<StoredDepth>(queueStatements.orders)),
    read('payments', (db) => db.query<StoredDepth>(queueStatements.payments)),
    read('broker', (db) => db.query<QueueDepth>(queueStatements.broker)),
  ]);
  return queueViews([...orders, ...payments], broker);
}
