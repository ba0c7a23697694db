import { deadLetterQueues } from '../../messaging/dead-letters.ts';
import type { Statement } from '../../platform/database.ts';
import type { AuditDatabase, TextRow } from './audit-database.ts';
import type { Findings } from './findings.ts';

/** The invariants that the broker holds: what it keeps for an operator, and leases. */

const queues = deadLetterQueues.map(({ queue }) => queue);
const queuesOfDeadLetters = deadLetterQueues.map(({ name }) => name);
/** Expired leases are taken back in passes of two seconds. */
const graceSeconds = 5;
/** A message may be anything: this much of what it says is shown. */
const shownMax = 200;

const expiredStatement: Statement = {
  name: 'audit_expired_jobs',
  text: `
    select id, name, started_on, expire_seconds, data -> 'messages' -> 0 ->> 'subject' as order_id,
           round(extract(epoch from now() - started_on)) as seconds
      from broker.job
     where name = any($1) and state = 'active'
       and now() > started_on + interval '1 second' * (expire_seconds + $2::int)`,
};

async function checkLeases(broker: AuditDatabase, findings: Findings): Promise<void> {
  type Row = Record<'id' | 'name' | 'expire_seconds' | 'seconds', string> & { order_id: string | null };
  for await (const rows of broker.pages<Row>(expiredStatement, [queues, graceSeconds])) {
    for (const { id, name, order_id, expire_seconds, seconds } of rows) {
      const detail = `job ${id} of ${name} is active for ${seconds} s, its lease is ${expire_seconds} s`;
      findings.add('job-within-lease', shown(order_id) ?? id, detail);
    }
  }
}

/** Reasons that say that two parts of the system disagree, rather than that a message is garbage. */
const contradictions = ['contradicts-decision', 'contradicts-order', 'unknown-order'];

// A dead letter that was discarded is completed, one that was redriven is back in its queue.
const deadLettersStatement: Statement = {
  name: 'audit_dead_letters',
  text: `
    select id, name, data -> 'messages' -> 0 ->> 'subject' as order_id,
           data -> 'dead_letter' ->> 'reason' as reason, data -> 'dead_letter' ->> 'detail' as detail
      from broker.job
     where name = any($1) and state in ('created', 'retry')
       and coalesce(data -> 'dead_letter' ->> 'reason' = any($2), false) = $3
     order by created_on, id`,
};

async function checkDeadLetters(
  broker: AuditDatabase,
  findings: Findings,
  invariant: 'no-contradiction' | 'dead-letters-acknowledged',
): Promise<void> {
  interface Row extends TextRow {
    id: string;
    name: string;
    order_id: string | null;
    reason: string | null;
    detail: string | null;
  }
  const values = [queuesOfDeadLetters, contradictions, invariant === 'no-contradiction'];
  for await (const rows of broker.pages<Row>(deadLettersStatement, values)) {
    for (const row of rows) {
      const reason = shown(row.reason) ?? 'no reason given';
      const detail = [reason, shown(row.detail), `job ${row.id} of ${row.name}`]
        .filter((part) => part !== undefined)
        .join('; ');
      findings.add(invariant, shown(row.order_id) ?? row.id, detail);
    }
  }
}

function shown(text: string | null): string | undefined {
  return text === null ? undefined : text.slice(0, shownMax).toWellFormed();
}

/** Checks in the broker's snapshot what must hold at every instant: no two parts of the system disagree. */
export function checkContradictions(broker: AuditDatabase, findings: Findings): Promise<void> {
  return checkDeadLetters(broker, findings, 'no-contradiction');
}

/** Checks leases and the other dead letters in the broker's snapshot: what must hold when quiet. */
export async function checkQuietBroker(broker: AuditDatabase, findings: Findings): Promise<void> {
  await checkLeases(broker, findings);
  await checkDeadLetters(broker, findings, 'dead-letters-acknowledged');
}
