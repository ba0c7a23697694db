import { toIso } from '../common-clock.ts';
import type { Place, Reason } from './trace-document.ts';
import type { Facts, Holder, InstanceFacts, JobFacts } from './trace-facts.ts';

/** Why an order stands where it stands: each reason by itself, made of facts. Pure. */

/** A backlog of so few is none: it is gone before anybody has read this. */
const backlogMin = 100;

/** Databases that could not be read: what they would say is missing, and whoever needs them stands still. */
export function awayReasons({ away }: Facts): Reason[] {
  return away.map(({ database, message }) => ({
    reason: 'database-away',
    detail: `the ${database} database could not be read: ${message}`,
    since: null,
  }));
}

/** Whether the daemon that takes the next step is there: by its sessions, its answers, and its heartbeat. */
export function daemonReasons(facts: Facts, service: 'orders' | 'payments'): Reason[] {
  const { broker } = facts;
  const known = (broker?.instances ?? []).filter((instance) => instance.service === service);
  if (broker?.sessions[service] === 0) return [downReason(service, known)];
  const running = known.filter(({ stoppedAt }) => stoppedAt === null);
  const failing = failingReasons(facts, service, running);
  // Rows of daemons that were killed stay silent for ever; only when all are is that of interest.
  if (failing.length > 0 || running.length === 0 || running.some(({ silent }) => !silent)) return failing;
  const last = running.reduce((a, b) => (a.heardAt > b.heardAt ? a : b));
  return [
    {
      reason: 'daemon-silent',
      detail: `${service} (${processOf(last)}) is connected, but has said nothing`,
      since: toIso(last.heardAt),
    },
  ];
}

/** Those of the service that gave no answer, or said no. A heartbeat would tell that half a minute later. */
function failingReasons(
  { health }: Facts,
  service: 'orders' | 'payments',
  running: readonly InstanceFacts[],
): Reason[] {
  const asked = health?.[service] ?? [];
  const failing = asked.filter(({ ready }) => !ready);
  const share = asked.length > 1 ? `, ${failing.length} of ${asked.length} are like that` : '';
  return failing.map(({ pid, url, silent }) => {
    const who = `${service} (${pid === null ? url : `process ${pid}`})`;
    const heard = running.find((instance) => instance.pid === pid);
    if (!silent) return { reason: 'daemon-not-ready', detail: `${who} is not ready${share}`, since: null };
    const last = heard === undefined ? '' : '; it was last heard of';
    return {
      reason: 'daemon-silent',
      detail: `${who} does not answer${share}${last}`,
      since: heard === undefined ? null : toIso(heard.heardAt),
    };
  });
}

/** Daemons that hang. One that is killed is started again by `up`, and whatever it did is done once. */
export function hungProcesses({ broker, health }: Facts, service: 'orders' | 'payments'): number[] {
  if (broker?.sessions[service] === 0) return [];
  return (health?.[service] ?? []).flatMap(({ pid, silent }) => (silent && pid !== null ? [pid] : []));
}

function downReason(service: string, known: readonly InstanceFacts[]): Reason {
  if (known.length === 0) {
    return { reason: 'daemon-down', detail: `no ${service} daemon has ever run here`, since: null };
  }
  const end = ({ stoppedAt, heardAt }: InstanceFacts) => stoppedAt ?? heardAt;
  const last = known.reduce((a, b) => (end(a) > end(b) ? a : b));
  const how = last.stoppedAt === null ? 'was last heard of, it did not stop in order' : 'was stopped';
  return {
    reason: 'daemon-down',
    detail: `no ${service} daemon is connected to the broker; the last one (${processOf(last)}) ${how}`,
    since: toIso(end(last)),
  };
}

function processOf({ pid, host }: InstanceFacts): string {
  return `process ${pid} on ${host}`;
}

/** Somebody holds a row that the next step needs. A daemon of ours that does is at work on it. */
export function holderReason(
  reason: 'row-held' | 'account-held',
  what: string,
  holder: Holder | null | undefined,
): Reason[] {
  return holder ? [{ reason, detail: `${what} by ${holderWords(holder)}`, since: null }] : [];
}

/** A daemon waits for a lock in the database the next step is taken in. */
export function waitReasons({ orders, payments }: Facts, service: 'orders' | 'payments'): Reason[] {
  const waits = (service === 'orders' ? orders : payments)?.waits ?? [];
  return waits.map(({ waiter, holder }) => ({
    reason: 'lock-wait',
    detail: `${holderWords(waiter)} waits for a lock of ${holderWords(holder)}`,
    since: null,
  }));
}

function holderWords({ pid, name, user }: Holder): string {
  const who = name === '' ? 'a session' : name;
  return `${who} (backend ${pid}${user === null ? '' : `, role ${user}`})`;
}

/** What waits where the order waits. */
export function backlogReasons({ queues }: Facts, place: Place): Reason[] {
  const queue = queues.find(({ name }) => name === place);
  if (queue === undefined || queue.depth < backlogMin) return [];
  const pace = queue.out_per_s ? `, ${queue.out_per_s} a second leave` : '';
  const oldest = queue.oldest_s === null ? '' : `, the oldest for ${queue.oldest_s} s`;
  return [
    {
      reason: 'backlog',
      detail: `${queue.estimated ? 'about ' : ''}${queue.depth} messages wait in ${place}${oldest}${pace}`,
      since: null,
    },
  ];
}

/** A job whose handler failed, or that a receiver has in its hands. */
export function retryReasons(job: JobFacts): Reason[] {
  const failed: Reason = {
    reason: 'retrying',
    detail: `its job failed ${job.retries === 1 ? 'once' : `${job.retries} times`}${job.error === null ? '' : ` (${job.error})`} and is tried again`,
    since: toIso(job.startAfter),
  };
  const inHands: Reason = {
    reason: 'in-hands',
    detail: 'a receiver has its job; should it die, the job comes again 10 to 18 s later',
    since: job.startedAt === null ? null : toIso(job.startedAt),
  };
  return [
    ...(job.retries > 0 || job.state === 'retry' ? [failed] : []),
    ...(job.state === 'active' ? [inHands] : []),
  ];
}
