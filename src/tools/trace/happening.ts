import type { DatabaseName } from '../../platform/config.ts';
import type { Moment } from '../common-clock.ts';
import type { TraceStep } from './trace-document.ts';
import type { JobFacts } from './trace-facts.ts';

/** Something that happened, with its moment by the database that recorded it. */
export interface Happening extends Omit<TraceStep, 'at' | 'ms'> {
  moment: Moment | null;
  database: DatabaseName;
}

/** The publication of a message (steps 2 and 5), as far as its job is recorded. */
export function published(job: JobFacts | undefined, number: 2 | 5, queue: JobFacts['queue']): Happening {
  return {
    step: 'published',
    number,
    service: number === 2 ? 'orders' : 'payments',
    database: 'broker',
    moment: job?.createdAt ?? null,
    detail: job === undefined ? '' : `to ${queue}${batchWords(job)}`,
    queue,
    ...(job !== undefined && jobFields(job)),
  };
}

/** What JSON says about a job. */
export function jobFields({ id, batch, retries }: JobFacts) {
  return { job_id: id, batch, ...(retries > 0 && { retries }) };
}

function batchWords({ batch, retries }: JobFacts): string {
  const size = batch === 1 ? ', alone in its batch' : `, in a batch of ${batch}`;
  return retries === 0 ? size : `${size}, tried ${retries + 1} times`;
}
