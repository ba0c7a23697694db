import type { BatchObservableResult, Meter } from '@opentelemetry/api';
import type { Database } from '../platform/database.ts';
import { oneAtATime } from '../platform/one-at-a-time.ts';
import { readinessGauge } from '../platform/telemetry/readiness-metric.ts';
import { within } from '../platform/within.ts';
import type { Broker } from './broker/broker.ts';
import { deadLetterQueueOf } from './dead-letters.ts';
import { readDepths } from './depth-store.ts';
import { type Queue, queues } from './messages.ts';

/** Whoever scrapes waits for it, mostly ten seconds; a database that hangs must not hide the rest. */
const measureMsMax = 2_000;

/** What the gauges of one service look at. */
export interface Gauged {
  name: 'orders' | 'payments';
  database: Database;
  broker: Pick<Broker, 'jobsIn' | 'connections'>;
  /** The queue it receives from. */
  queue: Queue;
  /** Whether it has everything it begins with: before that, and after its end, nothing is asked. */
  isReady(): boolean;
}

/**
 * Observes, whenever somebody looks, what waits: the outbox and the inbox of a service by one bounded statement on
 * its own schema, the queues and its dead letters by pg-boss's own statistics, and its connections to both. A place that
 * cannot be measured is not observed, and hence missing (as the readers of `openMetrics` have it), never zero. Whether
 * it works is whether both have just answered that: `tillbox.ready` costs no question of its own. Answers what ends it.
 */
export function observeService(meter: Meter, { name, database, broker, queue, isReady }: Gauged): () => void {
  const gauge = (gaugeName: string, description: string, unit = '') =>
    meter.createObservableGauge(gaugeName, { description, unit });
  const depth = gauge('tillbox.queue.depth', 'Messages that wait in an outbox or the inbox.');
  const oldest = gauge('tillbox.queue.oldest', 'Age of the oldest message that waits there.', 's');
  const jobs = gauge('tillbox.queue.jobs', 'Jobs of a queue by state, as pg-boss last counted them.');
  const connections = gauge('tillbox.pool.connections', 'Connections to a database, by state.');
  const waiting = gauge('tillbox.pool.waiting', 'Who waits for a connection.');
  const ready = readinessGauge(meter);
  const measureDepths = oneAtATime(() => readDepths(database, name));
  // Of the other's queue as well: while all who read it are away, nobody else tells how long it gets.
  const measureJobs = oneAtATime(() => countJobs(broker, [...queues, deadLetterQueueOf(queue)]));

  const observe = async (result: BatchObservableResult) => {
    for (const [to, pool] of Object.entries({ [name]: database.connections, broker: broker.connections })) {
      result.observe(connections, pool.used, { database: to, state: 'used' });
      result.observe(connections, pool.idle, { database: to, state: 'idle' });
      result.observe(waiting, pool.wanted, { database: to });
    }
    const [depths, counts] = isReady()
      ? await Promise.all([inTime(measureDepths()), inTime(measureJobs())])
      : [];
    for (const place of depths ?? []) {
      result.observe(depth, place.depth, { queue: place.name });
      result.observe(oldest, place.oldestSeconds, { queue: place.name });
    }
    for (const { queue: counted, state, count } of counts ?? [])
      result.observe(jobs, count, { queue: counted, state });
    result.observe(ready, depths !== undefined && counts !== undefined ? 1 : 0);
  };
  const observed = [depth, oldest, jobs, connections, waiting, ready];
  meter.addBatchObservableCallback(observe, observed);
  return () => meter.removeBatchObservableCallback(observe, observed);
}

/** The jobs of these queues by state. Rejects while the broker is away. */
async function countJobs(broker: Pick<Broker, 'jobsIn'>, names: readonly string[]) {
  const counted: { queue: string; state: string; count: number }[] = [];
  for (const queue of names) {
    const counts = Object.entries(await broker.jobsIn(queue));
    counted.push(...counts.map(([state, count]) => ({ queue, state, count })));
  }
  return counted;
}

/** What was measured; undefined when that failed, or takes too long. */
function inTime<Measured>(measuring: Promise<Measured>): Promise<Measured | undefined> {
  return within(
    measureMsMax,
    measuring.catch(() => undefined),
  );
}
