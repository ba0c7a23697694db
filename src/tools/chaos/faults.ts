import { randomUUID } from 'node:crypto';
import type { Publication } from '../../messaging/broker/broker.ts';
import { publishOnce } from '../../messaging/broker/stored-jobs.ts';
import { messageId, type PaymentResult, toCloudEvent } from '../../messaging/messages.ts';
import { pause } from '../../platform/lifecycle.ts';
import { parseAmount } from '../../platform/money.ts';
import type { Random } from '../random.ts';
import type { ClientRecord } from './client-record.ts';
import type { TcpLink, Weather } from './tcp-link.ts';

/** What can be done to a system. */
export const faultNames = ['kill', 'pause', 'postgres', 'link', 'duplicate', 'poison'] as const;
export type FaultName = (typeof faultNames)[number];

/** What faults are done to, and with. */
export interface Victims {
  random: Random;
  /** The daemons that run now. */
  processes(): { name: string; pid: number }[];
  servers: readonly Server[];
  links: readonly { name: string; link: TcpLink }[];
  record: ClientRecord;
  /** The broker's login, past all links. */
  brokerUrl: string;
  /** Some final orders, read past all links. */
  finalOrders(): Promise<FinalOrder[]>;
  /** Ids of poison that was published for certain. */
  poisoned: Set<string>;
  /** Aborts when everything must be whole again. */
  signal: AbortSignal;
}

/** A server of Postgres that can be crashed. */
export interface Server {
  name: string;
  /** Whether a strike has it down, or brings it back. */
  isAway?: boolean;
  crash(): Promise<void>;
  revive(): Promise<boolean>;
}

/** An order that is final. */
export interface FinalOrder {
  id: string;
  userId: string;
  amount: string;
  status: string;
  reason: string | null;
}

/** Does its harm, lets it last, undoes it; answers what it was, for people. Rejects when it struck nothing. */
type Fault = (victims: Victims) => Promise<string>;

/** The faults by name. Each leaves the system whole when it resolves. */
export const faults: Record<FaultName, Fault> = {
  kill,
  pause: pauseProcess,
  postgres,
  link,
  duplicate,
  poison,
};

/** Longer than a lease at times: the work of a paused process is done by another before it wakes. */
const pausedMsMax = 13_000;
const serverAwayMsMax = 5_000;
const badWeatherMsMax = 6_000;

async function kill({ processes, random }: Victims): Promise<string> {
  const { name, pid } = random.pick(processes());
  signalProcess(pid, 'SIGKILL');
  return `killed ${name}`;
}

async function pauseProcess({ processes, random, signal }: Victims): Promise<string> {
  const { name, pid } = random.pick(processes());
  const planned = random.between(500, pausedMsMax);
  signalProcess(pid, 'SIGSTOP');
  const ms = await lasting(planned, signal);
  try {
    signalProcess(pid, 'SIGCONT');
  } catch {
    // Killed while it was paused.
  }
  return `paused ${name} for ${ms} ms`;
}

async function postgres({ servers, random, signal }: Victims): Promise<string> {
  const server = random.pick(servers);
  const ms = random.between(0, serverAwayMsMax);
  // A crash while another one's server comes back would be told as one that never was.
  if (server.isAway) throw new Error(`${server.name} is away already`);
  server.isAway = true;
  try {
    return await crash(server, ms, signal);
  } finally {
    server.isAway = false;
  }
}

async function crash(server: Server, ms: number, signal: AbortSignal): Promise<string> {
  await server.crash();
  const awayMs = await lasting(ms, signal);
  await server.revive();
  return `crashed ${server.name}, ${awayMs} ms`;
}

async function link({ links, random, signal }: Victims): Promise<string> {
  const { name, link: victim } = random.pick(links);
  const planned = random.between(500, badWeatherMsMax);
  const weathers: [string, Partial<Weather> | 'reset'][] = [
    ['reset', 'reset'],
    ['delayed by 200 ms', { delayMs: 200 }],
    ['refusing connections', { refuse: true }],
    ['swallowing requests', { swallow: ['up'] }],
    ['swallowing answers', { swallow: ['down'] }],
    ['swallowing everything', { swallow: ['up', 'down'] }],
  ];
  const [what, weather] = random.pick(weathers);
  if (weather === 'reset') {
    if (victim.reset() === 0) throw new Error(`the link to ${name} had no connections`);
    return `link to ${name} ${what}`;
  }
  victim.set(weather);
  // Those that are open would never notice that there are no new ones.
  if (weather.refuse === true) victim.reset();
  const ms = await lasting(planned, signal);
  const { harmed } = victim;
  victim.heal();
  if (harmed === 0) throw new Error(`nothing came over the link to ${name} in ${ms} ms`);
  return `link to ${name} ${what}, ${ms} ms`;
}

/** Waits until it has lasted so long, or is to end; answers how long it was, in milliseconds. */
async function lasting(ms: number, signal: AbortSignal): Promise<number> {
  const since = performance.now();
  await pause(ms, signal);
  return Math.round(performance.now() - since);
}

/** Messages again, under new jobs, several times, at the same moment. */
async function duplicate({ record, random, brokerUrl, finalOrders }: Victims): Promise<string> {
  const acknowledged = record.acknowledgedOrders();
  const requests = sample(random, acknowledged, 20).map(({ id, userId, amount }) =>
    toCloudEvent({ type: 'payment.requested.v1', orderId: id, userId, amount: minorUnits(amount) }),
  );
  const results = sample(random, await finalOrders(), 20).map((order) =>
    toCloudEvent(resultOf(order, order.status)),
  );
  if (requests.length + results.length === 0) throw new Error('there is no message yet');
  const publications: Publication[] = [
    { queue: 'payment-requests', data: { messages: [...requests, ...requests] } },
    { queue: 'payment-results', data: { messages: [...results, ...results] } },
  ];
  await Promise.all([1, 2, 3].map(() => publishOnce(brokerUrl, publications)));
  return `sent ${requests.length} requests and ${results.length} results again, six times`;
}

/** Messages that can never be processed, in the same batch as good ones. */
async function poison(victims: Victims): Promise<string> {
  const { random, record, brokerUrl, finalOrders, poisoned } = victims;
  const good = sample(random, record.acknowledgedOrders(), 10).map(({ id, userId, amount }) =>
    toCloudEvent({ type: 'payment.requested.v1', orderId: id, userId, amount: minorUnits(amount) }),
  );
  const marked = (message: object) => ({ ...message, poison: randomUUID() });
  const orderId = randomUUID();
  const requests = [
    marked({ type: 'payment.requested.v9' }),
    marked({
      type: 'payment.requested.v1',
      id: messageId(orderId, 'payment.requested.v1'),
      data: { amount: null },
    }),
    marked({ nothing: 'known' }),
  ];
  const [final] = sample(random, await finalOrders(), 1);
  const unknown = { id: orderId, userId: 'nobody', amount: '1.00', status: 'FINISHED', reason: null };
  const results = [marked(toCloudEvent(resultOf(unknown, 'FINISHED')))];
  if (final !== undefined) results.push(marked(toCloudEvent(resultOf(final, opposite(final.status)))));
  await publishOnce(brokerUrl, [
    { queue: 'payment-requests', data: { messages: [...good.slice(0, 5), ...requests, ...good.slice(5)] } },
    { queue: 'payment-results', data: { messages: results } },
  ]);
  for (const message of [...requests, ...results])
    poisoned.add((message as unknown as { poison: string }).poison);
  return `poisoned the queues with ${requests.length + results.length} messages`;
}

function resultOf(order: FinalOrder, status: string): PaymentResult {
  const facts = { orderId: order.id, userId: order.userId, amount: minorUnits(order.amount) };
  if (status === 'FINISHED') return { type: 'payment.succeeded.v1', ...facts };
  const reason = order.reason === 'ACCOUNT_NOT_FOUND' ? 'ACCOUNT_NOT_FOUND' : 'INSUFFICIENT_FUNDS';
  return { type: 'payment.failed.v1', ...facts, reason };
}

function opposite(status: string): string {
  return status === 'FINISHED' ? 'CANCELED' : 'FINISHED';
}

function minorUnits(amount: string): bigint {
  return parseAmount(amount) ?? 1n;
}

function sample<Item>(random: Random, items: readonly Item[], count: number): Item[] {
  if (items.length === 0) return [];
  return Array.from({ length: Math.min(count, items.length) }, () => random.pick(items));
}

/** Throws when it is gone already. */
function signalProcess(pid: number, name: NodeJS.Signals): void {
  process.kill(pid, name);
}
