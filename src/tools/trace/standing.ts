import { usualPatience } from '../../orders/sweep-orders.ts';
import type { Moment } from '../common-clock.ts';
import { toIso } from '../common-clock.ts';
import {
  awayReasons,
  backlogReasons,
  daemonReasons,
  holderReason,
  hungProcesses,
  retryReasons,
  waitReasons,
} from './standing-reasons.ts';
import type { Place, Reason, Standing } from './trace-document.ts';
import type { Facts, JobFacts, LetterFacts, OutboxFacts } from './trace-facts.ts';

/** The step that is due, and how it stands with it. */
interface Due {
  number: 2 | 3 | 4 | 5 | 6;
  place: Place;
  detail: string;
  since: Moment | null;
  database: 'orders' | 'payments' | 'broker';
  reasons: Reason[];
  commands: string[];
}

const stepNames = { 2: 'published', 3: 'received', 4: 'decided', 5: 'published', 6: 'settled' } as const;
const services = { 2: 'orders', 3: 'payments', 4: 'payments', 5: 'payments', 6: 'orders' } as const;

/** Where an order stands that is not final, why, and what to do; null for one that is, or that is not known. Pure. */
export function standingOf(facts: Facts): Standing | null {
  const order = facts.orders?.order;
  if (order === null || (order !== undefined && order.status !== 'NEW')) return null;
  const due = dueStep(facts);
  const service = services[due.number];
  const reasons = [
    ...awayReasons(facts),
    ...due.reasons,
    ...daemonReasons(facts, service),
    ...waitReasons(facts, service),
    ...backlogReasons(facts, due.place),
  ];
  const now = facts.clocks[due.database]?.now;
  return {
    next_step: stepNames[due.number],
    number: due.number,
    service,
    place: due.place,
    detail: due.detail,
    since: due.since === null ? null : toIso(due.since),
    waiting_s:
      due.since === null || now === undefined ? null : Math.max(0, Math.round((now - due.since) / 100) / 10),
    reasons,
    commands: [...new Set([...commandsFor(facts, reasons, service), ...due.commands])],
  };
}

function dueStep(facts: Facts): Due {
  return decidedAlready(facts) ? afterDecision(facts) : beforeDecision(facts);
}

function decidedAlready({ payments, broker }: Facts): boolean {
  return (payments?.decision ?? null) !== null || (broker?.results.length ?? 0) > 0;
}

function beforeDecision(facts: Facts): Due {
  const { orders, payments, broker, orderId } = facts;
  const inbox = payments?.inbox ?? undefined;
  if (inbox !== undefined) {
    const held = [
      ...holderReason('account-held', 'the account is held', facts.payments?.accountHolder),
      ...holderReason('row-held', 'its row in the inbox is held', inbox.holder),
    ];
    const detail = `in the inbox of payments${aheadWords(inbox.ahead)}`;
    return due(4, 'payments-inbox', detail, inbox.receivedAt, 'payments', held);
  }
  const waiting = lastOpen(broker?.requests);
  if (waiting !== undefined) return dueInQueue(3, waiting);
  if (orders?.outbox) return dueInOutbox(2, 'orders-outbox', orders.outbox, 'orders');
  const letter = lastLetter(facts, 'payment-requests');
  if (letter !== undefined) return dueAsLetter(3, letter);
  if (broker === undefined || payments === undefined || orders === undefined) {
    return due(3, 'unknown', 'somewhere before its decision; what could say so is away', null, 'orders', []);
  }
  return lost(facts, broker.requests.length > 0 ? 3 : 2, [`tillbox trace ${orderId} --follow`]);
}

function afterDecision(facts: Facts): Due {
  const { payments, broker, orders, orderId } = facts;
  const waiting = lastOpen(broker?.results);
  if (waiting !== undefined) return dueInQueue(6, waiting);
  if (payments?.outbox) return dueInOutbox(5, 'payments-outbox', payments.outbox, 'payments');
  const letter = lastLetter(facts, 'payment-results');
  if (letter !== undefined) return dueAsLetter(6, letter);
  const { inbox } = payments ?? {};
  if (inbox && inbox.processedAt === null) {
    const detail = `decided; a repeated request waits in the inbox to be answered again${aheadWords(inbox.ahead)}`;
    const held = holderReason('row-held', 'its row in the inbox is held', inbox.holder);
    return due(5, 'payments-inbox', detail, inbox.receivedAt, 'payments', held);
  }
  if (broker === undefined || payments === undefined || orders === undefined) {
    const detail = 'decided, but not settled as far as is known; what could say more is away';
    return due(6, 'unknown', detail, null, 'payments', []);
  }
  return lost(facts, broker.results.length > 0 ? 6 : 5, [`tillbox trace ${orderId} --follow`]);
}

function due(
  number: Due['number'],
  place: Place,
  detail: string,
  since: Moment | null,
  database: Due['database'],
  reasons: Reason[],
  commands: string[] = [],
): Due {
  return { number, place, detail, since, database, reasons, commands };
}

function dueInOutbox(number: 2 | 5, place: Place, outbox: OutboxFacts, service: 'orders' | 'payments'): Due {
  const detail = `in the outbox of ${service}${aheadWords(outbox.ahead)}`;
  const held = holderReason('row-held', 'its row in the outbox is held', outbox.holder);
  return due(number, place, detail, outbox.createdAt, service, held);
}

function dueInQueue(number: 3 | 6, job: JobFacts): Due {
  const detail = `in the queue ${job.queue}, in a job with ${job.batch === 1 ? 'no other message' : `${job.batch} messages`}`;
  return due(number, job.queue, detail, job.createdAt, 'broker', retryReasons(job));
}

function dueAsLetter(number: 3 | 6, { id, reason, detail, at, handling }: LetterFacts): Due {
  const why = detail === '' ? reason : `${reason}: ${detail}`;
  const commands = [`tillbox dead-letters show ${id}`];
  if (handling === null) {
    const refused: Reason = { reason: 'refused', detail: why, since: toIso(at) };
    commands.push(`tillbox dead-letters redrive ${id}`);
    return due(number, 'dead-letters', 'its message is a dead letter', at, 'broker', [refused], commands);
  }
  const discarded: Reason = {
    reason: 'discarded',
    detail: `its message was a dead letter (${why}), discarded by ${handling.who}`,
    since: toIso(handling.at),
  };
  return due(number, 'nowhere', 'nothing is on its way', at, 'broker', [discarded], commands);
}

/** Nothing is on its way: the sweep will see to it, which belongs to the orders daemon. */
function lost(facts: Facts, number: Due['number'], commands: string[]): Due {
  const order = facts.orders?.order;
  const { overdueSeconds, growth, backoffSecondsMax } = usualPatience;
  const waits = Math.min(overdueSeconds * growth ** ((order?.requestCount ?? 1) - 1), backoffSecondsMax);
  const reason: Reason = {
    reason: 'lost',
    detail: `no database knows of a message on its way; the sweep of orders requests the payment again ${waits} s after the last request`,
    since: order == null ? null : toIso(order.requestedAt),
  };
  const sweeper = daemonReasons(facts, 'orders');
  return due(
    number,
    'nowhere',
    'nothing is on its way',
    order?.requestedAt ?? null,
    'orders',
    [reason, ...(services[number] === 'orders' ? [] : sweeper)],
    commands,
  );
}

/** The job created last that is not done. */
function lastOpen(jobs: readonly JobFacts[] | undefined): JobFacts | undefined {
  return jobs?.findLast(({ state }) => ['created', 'retry', 'active'].includes(state));
}

/** The last dead letter of a queue that was not redriven. */
function lastLetter({ broker }: Facts, queue: LetterFacts['queue']): LetterFacts | undefined {
  return broker?.letters.findLast(
    (letter) => letter.queue === queue && letter.handling?.action !== 'redriven',
  );
}

function aheadWords(ahead: number): string {
  if (ahead === 0) return ', next in turn';
  return ahead === 1 ? ', behind one other' : `, behind ${ahead} others`;
}

/** What to type, by what is wrong. */
function commandsFor(facts: Facts, reasons: readonly Reason[], service: 'orders' | 'payments'): string[] {
  const has = (reason: Reason['reason']) => reasons.some((other) => other.reason === reason);
  const holder = facts.payments?.accountHolder;
  const anyRuns = (facts.broker?.sessions.orders ?? 0) + (facts.broker?.sessions.payments ?? 0) > 0;
  return [
    ...(has('daemon-down') ? [anyRuns ? `tillbox serve ${service}` : 'tillbox up --detach'] : []),
    ...(has('database-away') || has('daemon-silent') || has('daemon-not-ready') ? ['tillbox status'] : []),
    ...hungProcesses(facts, service).map((pid) => `kill -9 ${pid}`),
    ...(has('account-held') && holder
      ? [`psql "$PAYMENTS_DATABASE_URL" -c 'select pg_terminate_backend(${holder.pid})'`]
      : []),
    ...(has('backlog') || has('retrying') ? ['tillbox queues --watch'] : []),
  ];
}
