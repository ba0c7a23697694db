import { deadLetterQueueOf } from '../../messaging/dead-letters.ts';
import type { DatabaseName } from '../../platform/config.ts';
import type { Queryable } from '../../platform/database.ts';
import type { Moment } from '../common-clock.ts';
import { contained, JobLook } from './job-look.ts';
import type { BrokerSide, Facts, InstanceFacts, JobFacts, LetterFacts } from './trace-facts.ts';
import { instancesStatement, lettersStatement, sessionsStatement } from './trace-statements.ts';

/** A difference of clocks is measured now, and was a little different then. */
const clockSlackMs = 100;
/** The clock of whoever made an order's id is nobody's database's. */
const idSlackMs = 1_000;

/** Reads what the broker knows about an order, from where and when the services say to look. */
export async function readBroker(db: Queryable, facts: Facts): Promise<BrokerSide> {
  const order = facts.orders?.order ?? undefined;
  const begin = order === undefined ? createdMoment(facts) : asOfBroker(facts, order.createdAt, 'orders');
  const letters = begin === undefined ? [] : await readLetters(db, facts.orderId, begin);
  const look = new JobLook(db, facts.orderId);
  // What was redriven is back in its queue under the letter's id, whenever that was.
  for (const { id, queue, jobId, handling } of letters) {
    await look.byId(queue, [jobId, handling?.action === 'redriven' ? id : null]);
  }
  await lookForRequests(look, facts, begin);
  await lookForResults(look, facts, begin);
  const isOpen = order === undefined || order.status === 'NEW';
  const [sessions] = isOpen ? await db.query<BrokerSide['sessions']>(sessionsStatement) : [];
  return {
    requests: look.jobs('payment-requests'),
    results: look.jobs('payment-results'),
    letters,
    more: look.more,
    instances: isOpen ? await readInstances(db) : [],
    sessions: sessions ?? { orders: 0, payments: 0 },
  };
}

/** The inbox names the job of the first delivery, and counts how many there were. */
async function lookForRequests(look: JobLook, facts: Facts, begin: Moment | undefined): Promise<void> {
  const queue = 'payment-requests';
  const inbox = facts.payments?.inbox ?? undefined;
  const order = facts.orders?.order ?? undefined;
  await look.byId(queue, [inbox?.jobId ?? null]);
  const isEnough = (jobs: JobFacts[]) =>
    inbox === undefined
      ? jobs.length > 0
      : jobs.reduce((sum, { copies }) => sum + copies, 0) >= inbox.deliveries;
  if (begin !== undefined) await look.from(queue, begin, isEnough);
  if (order === undefined || order.requestCount === 1) return;
  const requestedAt = asOfBroker(facts, order.requestedAt, 'orders');
  const isLastFound = (jobs: JobFacts[]) => jobs.some(({ createdAt }) => createdAt >= requestedAt);
  await look.from(queue, requestedAt, inbox === undefined ? isLastFound : isEnough);
}

/** Nobody names the job of a result: it was created when the order was decided, or answered again. */
async function lookForResults(look: JobLook, facts: Facts, begin: Moment | undefined): Promise<void> {
  const queue = 'payment-results';
  const { inbox, decision } = facts.payments ?? {};
  // Without a decision there is no result.
  if (facts.payments !== undefined && decision === null) return;
  const isFound = (jobs: JobFacts[]) => jobs.length > 0;
  const decidedAt = decision ? asOfBroker(facts, decision.decidedAt, 'payments') : begin;
  if (decidedAt !== undefined) await look.from(queue, decidedAt, isFound);
  if (decision && inbox?.processedAt && inbox.processedAt > decision.decidedAt) {
    await look.from(queue, asOfBroker(facts, inbox.processedAt, 'payments'), isFound);
  }
}

/** A moment of another database by the clock of the broker, and a little before. */
function asOfBroker({ clocks }: Facts, moment: Moment, name: DatabaseName): Moment {
  return moment - clockSlackMs + (clocks.broker?.aheadMs ?? 0) - (clocks[name]?.aheadMs ?? 0);
}

/** When an order was created, as its id says (UUID version 7): what is left when nobody else does. */
function createdMoment({ orderId }: Facts): Moment | undefined {
  if (orderId[14] !== '7') return undefined;
  return Number.parseInt(orderId.slice(0, 8) + orderId.slice(9, 13), 16) - idSlackMs;
}

async function readLetters(db: Queryable, orderId: string, begin: Moment): Promise<LetterFacts[]> {
  const letters: LetterFacts[] = [];
  for (const queue of ['payment-requests', 'payment-results'] as const) {
    const values = [deadLetterQueueOf(queue), orderId, begin, contained(orderId)];
    const rows = await db.query<{
      id: string;
      at: Moment;
      completed_at: Moment | null;
      reason: string;
      detail: string;
      job_id: string | null;
      action: 'redriven' | 'discarded' | null;
      who: string | null;
      why: string | null;
    }>(lettersStatement, values);
    for (const { id, at, completed_at, reason, detail, job_id, action, who, why } of rows) {
      const isHandled = (action === 'redriven' || action === 'discarded') && completed_at !== null;
      const handling = isHandled ? { action, who: who ?? 'unknown', why: why ?? '', at: completed_at } : null;
      letters.push({ id, queue, reason, detail, jobId: job_id, at, handling });
    }
  }
  return letters.sort((a, b) => a.at - b.at);
}

async function readInstances(db: Queryable): Promise<InstanceFacts[]> {
  const rows = await db.query<{
    service: 'orders' | 'payments';
    pid: number;
    host: string;
    started_at: Moment;
    heard_at: Moment;
    stopped_at: Moment | null;
    silent: boolean;
  }>(instancesStatement);
  return rows.map(({ service, pid, host, started_at, heard_at, stopped_at, silent }) => ({
    service,
    pid,
    host,
    startedAt: started_at,
    heardAt: heard_at,
    silent,
    stoppedAt: stopped_at,
  }));
}
