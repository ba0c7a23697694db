import type { DatabaseName } from '../../platform/config.ts';
import { formatAmount } from '../../platform/money.ts';
import type { Moment } from '../common-clock.ts';
import { CommonClock, toIso } from '../common-clock.ts';
import { type Happening, published } from './happening.ts';
import { firstPublications, sideSteps } from './side-steps.ts';
import type { TraceStep } from './trace-document.ts';
import type { DecisionFacts, Facts } from './trace-facts.ts';

/**
 * The way of an order, made of what the databases know. Pure. The six steps come in their order, what else
 * happened stands where its time says; a step that must have been and is no longer recorded says so.
 */
export function orderSteps(facts: Facts): TraceStep[] {
  const clock = new CommonClock(facts.clocks);
  const main = sixSteps(facts);
  return timed(merged(main, sideSteps(facts), clock), clock);
}

/** The six steps, as far as they were taken. */
function sixSteps(facts: Facts): Happening[] {
  const { orders, payments, broker } = facts;
  const order = orders?.order ?? undefined;
  const inbox = payments?.inbox ?? undefined;
  const decision = payments?.decision ?? undefined;
  const isFinal = order !== undefined && order.status !== 'NEW';
  const [request] = firstPublications(facts);
  const result = broker?.results[0];
  const wasDecided = decision !== undefined || result !== undefined || isFinal;
  const wasReceived = inbox !== undefined || wasDecided;
  const unrecorded = (away: boolean, name: string) => (away ? `${name} is away` : 'no longer recorded');
  const steps: (Happening | false)[] = [
    (order !== undefined || orders === undefined) && {
      step: 'created',
      number: 1,
      service: 'orders',
      database: 'orders',
      moment: order?.createdAt ?? null,
      detail: order === undefined ? 'orders is away' : `${formatAmount(order.amount)} of ${order.userId}`,
    },
    (request !== undefined || wasReceived) && {
      ...published(request, 2, 'payment-requests'),
      ...(request === undefined && { detail: unrecorded(broker === undefined, 'broker') }),
    },
    wasReceived && {
      step: 'received',
      number: 3,
      service: 'payments',
      database: 'payments',
      moment: inbox?.receivedAt ?? null,
      detail:
        inbox === undefined
          ? unrecorded(payments === undefined, 'payments')
          : `into the inbox${inbox.deliveries > 1 ? `, the first of ${inbox.deliveries} deliveries` : ''}`,
      ...(inbox !== undefined && { job_id: inbox.jobId }),
    },
    wasDecided && {
      step: 'decided',
      number: 4,
      service: 'payments',
      database: 'payments',
      moment: decision?.decidedAt ?? null,
      detail: decision === undefined ? unrecorded(payments === undefined, 'payments') : verdict(decision),
    },
    (result !== undefined || isFinal) && {
      ...published(result, 5, 'payment-results'),
      ...(result === undefined && { detail: unrecorded(broker === undefined, 'broker') }),
    },
    isFinal && {
      step: 'settled',
      number: 6,
      service: 'orders',
      database: 'orders',
      moment: order.settledAt,
      detail: order.reason === null ? order.status : `${order.status} (${order.reason})`,
    },
  ];
  return steps.filter((step) => step !== false);
}

function verdict({ outcome, reason, entry }: DecisionFacts): string {
  if (outcome === 'failed') return `declined: ${reason}`;
  if (entry === null) return 'paid';
  return `paid by entry ${entry.seq}, balance ${formatAmount(entry.balance)}`;
}

/** Puts what else happened between the steps, by its time; what has none stands at its step's end. */
function merged(main: readonly Happening[], extra: readonly Happening[], clock: CommonClock): Happening[] {
  const common = ({ moment, database }: Happening) =>
    moment === null ? undefined : clock.toCommon(moment, database);
  const all = [...main];
  const byTime = [...extra].sort((a, b) => (common(a) ?? Infinity) - (common(b) ?? Infinity));
  for (const happening of byTime) {
    const time = common(happening) ?? Infinity;
    // Behind the last of what is not later.
    const index = all.findLastIndex((other) => (common(other) ?? Infinity) <= time);
    all.splice(index + 1, 0, happening);
  }
  return all;
}

function timed(happenings: readonly Happening[], clock: CommonClock): TraceStep[] {
  let before: { moment: Moment; database: DatabaseName } | undefined;
  return happenings.map(({ moment, database, ...step }) => {
    const known = moment === null ? undefined : { moment, database };
    const ms = known === undefined || before === undefined ? null : clock.elapsedMs(before, known);
    if (step.number !== null && known !== undefined) before = known;
    const { step: name, number, service, detail, ...rest } = step;
    return { step: name, number, service, at: moment === null ? null : toIso(moment), ms, detail, ...rest };
  });
}
