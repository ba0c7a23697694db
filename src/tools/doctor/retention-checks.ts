import { deadLetterQueues } from '../../messaging/dead-letters.ts';
import { type RetentionSettings, secondsPerDay } from '../../platform/retention.ts';
import { type Finding, failure, ok, warning } from './finding.ts';

/** How long a queue keeps its jobs, in seconds. */
export interface KeptSeconds {
  name: string;
  /** Jobs that wait. */
  waiting: number;
  /** Jobs that are completed; of dead letters, those dealt with. */
  completed: number;
}

/** An outage, and the time until somebody looks at a dead letter, may last so long. */
const waitingSecondsMin = 90 * secondsPerDay;
/** A client may repeat a request whose outcome it does not know a day later. */
const keySecondsMin = secondsPerDay;
/** The sweep asks again for ten minutes after a loss, and completed jobs are kept an hour: see retention.ts. */
const inboxSecondsMin = 3_600;

/** Whether what is kept is kept long enough for what may still come. See platform/retention.ts. */
export function checkRetention(settings: RetentionSettings): Finding[] {
  return [checkInbox(settings), checkKeys(settings)];
}

function checkInbox({ inboxRetentionDays }: RetentionSettings): Finding {
  const seconds = inboxRetentionDays * secondsPerDay;
  if (seconds >= inboxSecondsMin) {
    return ok('inbox', `Processed requests stay ${inboxRetentionDays} d, longer than redeliveries take.`);
  }
  return warning(
    'inbox',
    `Processed requests stay ${Math.round(seconds)} s, less than the hour a completed job is kept: most duplicates are answered from decisions, which is safe and costs more.`,
    'Set TILLBOX_INBOX_RETENTION_DAYS to 0.05 or more, such as 7',
  );
}

function checkKeys({ idempotencyRetentionDays }: RetentionSettings): Finding {
  const seconds = idempotencyRetentionDays * secondsPerDay;
  if (seconds >= keySecondsMin) {
    return ok('idempotency keys', `A key replays the first answer for ${idempotencyRetentionDays} d.`);
  }
  return warning(
    'idempotency keys',
    `A key replays the first answer for ${Math.round(seconds)} s only: a client that repeats a request later than that orders again.`,
    'Set TILLBOX_IDEMPOTENCY_RETENTION_DAYS to 1 or more, such as 30',
  );
}

/** Whether the queues keep what waits through an outage, and dead letters until somebody deals with them. */
export function checkKept(queues: readonly KeptSeconds[]): Finding {
  const isDeadLetters = (name: string) => deadLetterQueues.some((queue) => queue.name === name);
  const short = queues.filter(({ waiting }) => waiting < waitingSecondsMin);
  if (short.length > 0) {
    const list = short.map(({ name, waiting }) => `${name} for ${days(waiting)}`).join(', ');
    return failure('kept', `What waits is thrown away too early: ${list}.`, 'tillbox migrate sets ten years');
  }
  const forgotten = queues.filter(
    ({ name, completed }) => isDeadLetters(name) && completed < waitingSecondsMin,
  );
  if (forgotten.length > 0) {
    const list = forgotten.map(({ name, completed }) => `${name} for ${days(completed)}`).join(', ');
    return warning(
      'kept',
      `Who dealt with dead letters is remembered shortly: ${list}.`,
      'tillbox migrate sets ten years',
    );
  }
  return ok('kept', 'What waits, and every dead letter, outlasts any outage.');
}

function days(seconds: number): string {
  return seconds >= secondsPerDay ? `${Math.floor(seconds / secondsPerDay)} d` : `${seconds} s`;
}
