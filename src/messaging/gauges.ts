import type { BatchObservableResult, Meter } from '@opentelemetry/api';
import type { Database } from '../platform/database.ts';
import { observeReadiness } from '../platform/telemetry/readiness-metric.ts';
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
  isReady(): boolean;
}

/**
 * Observes, whenever somebody looks, what waits: the outbox and the inbox of a service by one bounded statement on
 * its own schema, the queues and its dead letters by pg-boss's own statistics, and its connections to both. A place that
 * cannot be measured is not observed, and hence missing (as the readers of `openMetrics` have it), never zero. Answers
 * what ends it.
 */
export function observeService(meter: Meter, { name, database, broker, queue, isReady }: Gauged): () => void {
  const gauge = (gaugeName: string, description: string, unit = '') =>
    meter.createObservableGauge(gaugeName, { description, unit });
  const depth = gauge('tillbox.queue.depth', 'Messages that wait in an outbox or the inbox.');
  const oldest = gauge('tillbox.queue.oldest', 'Age of the oldest message that waits there.', 's');
  const jobs = gauge('tillbox.queue.jobs', 'Jobs of a queue by state, as pg-boss last counted them.');
  const connections = gauge('tillbox.pool.connections', 'Connections to a database, by state.');
  const waiting = gauge('tillbox.pool.waiting', 'Who waits for a connection.');

  const observeStored = async (result: BatchObservableResult) => {
    for (const place of await readDepths(database, name)) {
      result.observe(depth, place.depth, { queue: place.name });
      result.observe(oldest, place.oldestSeconds, { queue: place.name });
    }
  };
  const observeJobs = async (result: BatchObservableResult) => {
    // Of the other's queue as well: while all who read it are away, nobody else tells how long it gets.
    for (const one of [...queues, deadLetterQueueOf(queue)]) {
      const counts = await broker.jobsIn(one);
      for (const [state, count] of Object.entries(counts)) result.observe(jobs, count, { queue: one, state });
    }
  };
  const observe = async (result: BatchObservableResult) => {
    for (const [to, pool] of Object.entries({ [name]: database.connections, broker: broker.connections })) {
      result.observe(connections, pool.used, { database: to, state: 'used' });
      result.observe(connections, pool.idle, { database: to, state: 'idle' });
      result.observe(waiting, pool.wanted, { database: to });
    }
    if (!isReady()) return;
    await within(measureMsMax, Promise.allSettled([observeStored(result), observeJobs(result)]));
  };
  const observed = [depth, oldest, jobs, connections, waiting];
  meter.addBatchObservableCallback(observe, observed);
  const endReadiness = observeReadiness(meter, isReady);
  return () => {
    endReadiness();
    meter.removeBatchObservableCallback(observe, observed);
  };
}
