import { deadLetterQueueOf } from '../../messaging/dead-letters.ts';
import type { DatabaseName } from '../../platform/config.ts';
import type { Queryable } from '../../platform/database.ts';
import { isUuid } from '../../platform/field-schemas.ts';
import { contained, JobLook } from './job-look.ts';
import type { BrokerSide, Facts, InstanceFacts, LetterFacts, Moment } from './trace-facts.ts';
import { instancesStatement, lettersStatement, sessionsStatement } from './trace-statements.ts';

/** Clocks that are set by one another may differ by this, and a window must not miss what it is for. */
const clockSlackMs = 1_000;

/** Reads what the broker knows about an order, from where and when the services say to look. */
export async function readBroker(db: Queryable, facts: Facts): Promise<BrokerSide> {
  const order = facts.orders?.order ?? undefined;
  const { inbox, decision } = facts.payments ?? {};
  // A moment of another database, by the clock of the broker.
  const asOfBroker = (moment: Moment, name: DatabaseName) =>
    moment - clockSlackMs + (facts.clocks.broker?.aheadMs ?? 0) - (facts.clocks[name]?.aheadMs ?? 0);
  const begin = order === undefined ? createdMoment(facts.orderId) : asOfBroker(order.createdAt, 'orders');
  const look = new JobLook(db, facts.orderId);
  if (inbox && isUuid(inbox.jobId)) await look.byId('payment-requests', [inbox.jobId]);
  if (begin !== undefined) await look.from('payment-requests', begin);
  if (order && order.requestCount > 1)
    await look.from('payment-requests', asOfBroker(order.requestedAt, 'orders'));
  const decidedAt = decision ? asOfBroker(decision.decidedAt, 'payments') : begin;
  if (decidedAt !== undefined) await look.from('payment-results', decidedAt);
  if (inbox?.processedAt && decision && inbox.processedAt > decision.decidedAt)
    await look.from('payment-results', asOfBroker(inbox.processedAt, 'payments'));
  const letters = begin === undefined ? [] : await readLetters(db, facts.orderId, begin);
  // What was redriven is back in its queue under the letter's id, whenever that was.
  for (const { id, queue, handling } of letters) {
    if (handling?.action === 'redriven') await look.byId(queue, [id]);
  }
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

/** When an order was created, as its id says (UUID version 7): what is left when nobody else does. */
function createdMoment(orderId: string): Moment | undefined {
  if (orderId[14] !== '7') return undefined;
  return Number.parseInt(orderId.slice(0, 8) + orderId.slice(9, 13), 16) - clockSlackMs;
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
