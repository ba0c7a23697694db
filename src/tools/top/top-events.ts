import { databaseNames } from '../../platform/config.ts';
import type { Health, InstanceHealth, TopDocument, TopEvent } from './top-document.ts';

/** Rows of the events' statement. */
export interface EventRow {
  event: 'dead-letter' | 'redriven' | 'discarded' | 'retry';
  queue: string;
  detail: string;
  count: number;
  at: number;
}

/** Rows of pg-boss's registry of instances. */
export interface LifeRow {
  id: string;
  service: string;
  pid: number;
  started_at: number;
  stopped_at: number | null;
}

const at = (moment: number) => new Date(moment).toISOString();
const many = (count: number, one: string, several: string) => (count === 1 ? one : `${count} ${several}`);

/** What the queues say. Pure. */
export function queueEvents(rows: readonly EventRow[]): TopEvent[] {
  return rows.map(({ event, queue, detail, count, at: moment }) => ({
    at: at(moment),
    event,
    detail: {
      'dead-letter': `${many(count, 'a message', 'messages')} of ${queue} refused: ${detail}`,
      redriven: `${many(count, 'a dead letter', 'dead letters')} redriven to ${queue}`,
      discarded: `${many(count, 'a dead letter', 'dead letters')} of ${queue} discarded`,
      retry: `${many(count, 'a job', 'jobs')} of ${queue} failed and will be tried again${detail === '' ? '' : `: ${detail}`}`,
    }[event],
  }));
}

/** What the sweep says. Pure. */
export function sweepEvents(row: { count: number; at: number | null } | undefined): TopEvent[] {
  if (row === undefined || row.at === null || row.count === 0) return [];
  const detail = `the sweep requested the payment of ${many(row.count, 'an order', 'orders')} again`;
  return [{ at: at(row.at), event: 'sweep', detail }];
}

/** What pg-boss's registry says of daemons that started or stopped in order between two moments. Pure. */
export function lifeEvents(rows: readonly LifeRow[], since: number, until: number): TopEvent[] {
  const isNews = (moment: number) => moment > since && moment <= until;
  return rows.flatMap(({ service, pid, started_at, stopped_at }) => [
    ...(isNews(started_at)
      ? [
          {
            at: at(started_at),
            event: 'daemon-started',
            detail: `${service} started, process ${pid}`,
          } as const,
        ]
      : []),
    ...(stopped_at !== null && isNews(stopped_at)
      ? [
          {
            at: at(stopped_at),
            event: 'daemon-stopped',
            detail: `${service} stopped, process ${pid}`,
          } as const,
        ]
      : []),
  ]);
}

/** What changed in the health of what runs. Pure. */
export function healthEvents(before: Health | null, after: Health | null, now: Date): TopEvent[] {
  if (before === null || after === null) return [];
  const change = (name: string, was: boolean, is: boolean): TopEvent[] => {
    if (was === is) return [];
    const event = is ? 'daemon-back' : 'daemon-away';
    return [
      {
        at: now.toISOString(),
        event,
        detail: `${name} ${is ? 'is ready' : 'does not answer, or is not ready'}`,
      },
    ];
  };
  const count = (instances: readonly InstanceHealth[]) => instances.filter(({ ready }) => ready).length;
  const service = (name: 'orders' | 'payments') => {
    const size = Math.max(before[name].length, after[name].length);
    if (size <= 1) return change(name, count(before[name]) > 0, count(after[name]) > 0);
    const [was, is] = [count(before[name]), count(after[name])];
    if (was === is) return [];
    const event = is > was ? 'daemon-back' : 'daemon-away';
    return [{ at: now.toISOString(), event, detail: `${is} of ${size} ${name} are ready` } as const];
  };
  return [
    ...change('gateway', before.gateway.ready, after.gateway.ready),
    ...service('orders'),
    ...service('payments'),
  ];
}

/** Which databases went away or came back. Pure. */
export function databaseEvents(
  before: TopDocument['away'],
  after: TopDocument['away'],
  now: Date,
): TopEvent[] {
  return databaseNames.flatMap((name): TopEvent[] => {
    const was = before.some(({ database }) => database === name);
    const is = after.find(({ database }) => database === name);
    if (was === (is !== undefined)) return [];
    const event = is === undefined ? 'database-back' : 'database-away';
    const detail =
      is === undefined ? `the ${name} database is back` : `the ${name} database is away: ${is.message}`;
    return [{ at: now.toISOString(), event, detail }];
  });
}
