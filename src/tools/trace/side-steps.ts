import { type Happening, jobFields, published } from './happening.ts';
import type { Facts, JobFacts, LetterFacts } from './trace-facts.ts';

/** What happened to an order besides its six steps. Pure. */
export function sideSteps(facts: Facts): Happening[] {
  return [...sweeps(facts), ...republications(facts), ...duplicates(facts), ...deadLetters(facts)];
}

/** Jobs a relay published, not those that redriving put back under a dead letter's id. */
export function firstPublications({ broker }: Facts): JobFacts[] {
  const letters = new Set(broker?.letters.map(({ id }) => id));
  return broker?.requests.filter(({ id }) => !letters.has(id)) ?? [];
}

function sweeps({ orders }: Facts): Happening[] {
  const order = orders?.order ?? undefined;
  if (order === undefined || order.requestCount === 1) return [];
  const again = order.requestCount - 1;
  const words = again === 1 ? 'by the sweep' : `by the sweep, the last of ${again} times`;
  return [
    {
      step: 'requested-again',
      number: null,
      service: 'orders',
      database: 'orders',
      moment: order.requestedAt,
      detail: words,
    },
  ];
}

function republications(facts: Facts): Happening[] {
  const letters = new Set(facts.broker?.letters.map(({ id }) => id));
  const results = facts.broker?.results.filter(({ id }) => !letters.has(id)) ?? [];
  return [
    ...firstPublications(facts)
      .slice(1)
      .map((job) => published(job, 2, 'payment-requests')),
    ...results.slice(1).map((job) => published(job, 5, 'payment-results')),
  ].map((step) => ({ ...step, step: 'published-again', number: null }));
}

/** How often a message of the order came that was known already, with the jobs that are still recorded. */
export function duplicateJobs(facts: Facts): { job: JobFacts; copies: number }[] {
  const { payments, broker, orders } = facts;
  if (broker === undefined) return [];
  const refused = new Set(broker.letters.map(({ jobId }) => jobId));
  const delivered = (jobs: JobFacts[]) =>
    jobs.filter(({ id, state }) => state === 'completed' && !refused.has(id));
  const inbox = payments?.inbox ?? undefined;
  const firstRequest = inbox?.jobId ?? delivered(broker.requests)[0]?.id;
  const isFinal = orders?.order?.status !== undefined && orders.order.status !== 'NEW';
  const results = delivered(broker.results).sort((a, b) => (a.completedAt ?? 0) - (b.completedAt ?? 0));
  const firstResult = isFinal ? results[0]?.id : undefined;
  const requests = inbox === undefined && payments?.decision == null ? [] : delivered(broker.requests);
  return [
    ...requests.map((job) => ({ job, copies: job.copies - (job.id === firstRequest ? 1 : 0) })),
    ...(isFinal ? results : []).map((job) => ({
      job,
      copies: job.copies - (job.id === firstResult ? 1 : 0),
    })),
  ].filter(({ copies }) => copies > 0);
}

function duplicates(facts: Facts): Happening[] {
  const found = duplicateJobs(facts);
  const happenings = found.map(({ job, copies }): Happening => {
    const isRequest = job.queue === 'payment-requests';
    const words = isRequest ? 'suppressed by the inbox' : 'suppressed: the order was settled already';
    return {
      step: 'duplicate',
      number: null,
      service: isRequest ? 'payments' : 'orders',
      database: 'broker',
      moment: job.completedAt,
      detail: copies === 1 ? words : `${copies} of them ${words}`,
      queue: job.queue,
      ...jobFields(job),
    };
  });
  const counted = (facts.payments?.inbox?.deliveries ?? 1) - 1;
  const known = found
    .filter(({ job }) => job.queue === 'payment-requests')
    .reduce((sum, { copies }) => sum + copies, 0);
  if (counted > known) {
    happenings.push({
      step: 'duplicate',
      number: null,
      service: 'payments',
      database: 'payments',
      moment: null,
      detail: `${counted - known} more suppressed by the inbox, when is no longer recorded`,
      queue: 'payment-requests',
    });
  }
  return happenings;
}

function deadLetters({ broker }: Facts): Happening[] {
  return broker?.letters.flatMap((letter) => [letterArrival(letter), ...letterHandling(letter)]) ?? [];
}

function letterArrival({ id, queue, reason, detail, jobId, at }: LetterFacts): Happening {
  const refuser = queue === 'payment-requests' ? 'payments' : 'orders';
  return {
    step: 'dead-letter',
    number: null,
    service: reason === 'broker-gave-up' ? 'broker' : refuser,
    database: 'broker',
    moment: at,
    detail: detail === '' ? reason : `${reason}: ${detail}`,
    queue,
    ...(jobId !== null && { job_id: jobId }),
    dead_letter_id: id,
  };
}

function letterHandling({ id, queue, handling }: LetterFacts): Happening[] {
  if (handling === null) return [];
  const { action, who, why, at } = handling;
  const words = action === 'redriven' ? `to ${queue} by ${who}` : `by ${who}: ${why}`;
  const happening = { number: null, service: 'operator', database: 'broker', queue } as const;
  return [{ ...happening, step: action, moment: at, detail: words, dead_letter_id: id }];
}
