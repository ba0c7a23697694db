import type { QueuesDocument, QueueView } from '../../tools/queues.ts';
import { formatTable } from './table.ts';
import type { Terminal } from './terminal.ts';
import { formatAge, formatLocalTime } from './times.ts';
import { wrap } from './wrap.ts';

/** Queues for people: a table, in the order a message takes. An estimate has a tilde, what is not known a dash. */
export function formatQueues({ at, queues, dead_letters }: QueuesDocument, terminal: Terminal): string {
  const { paint, columns } = terminal;
  const number = (value: number | null) => (value === null ? '-' : String(value));
  const table = formatTable<QueueView>(
    queues,
    [
      {
        heading: 'QUEUE',
        text: ({ name }) => name,
        paint: ({ kind, depth }, text) => (kind === 'dead-letters' && depth > 0 ? paint.bad(text) : text),
      },
      {
        heading: 'MESSAGES',
        text: ({ depth, estimated }) => `${estimated ? '~' : ''}${depth}`,
        align: 'right',
      },
      {
        heading: 'OLDEST',
        text: ({ oldest_s }) => (oldest_s === null ? '-' : formatAge(oldest_s)),
        align: 'right',
      },
      { heading: 'IN FLIGHT', text: ({ in_flight }) => number(in_flight), align: 'right' },
      { heading: 'RETRIES', text: ({ retrying_jobs }) => number(retrying_jobs), align: 'right' },
      { heading: 'IN/S', text: ({ in_per_s }) => number(in_per_s), align: 'right' },
      { heading: 'OUT/S', text: ({ out_per_s }) => number(out_per_s), align: 'right' },
    ],
    { paint, columns },
  );
  const noun = dead_letters === 1 ? 'dead letter' : 'dead letters';
  const letters =
    dead_letters === 0 ? 'No dead letters.' : `${dead_letters} ${noun}: tillbox dead-letters list`;
  const foot = wrap(`${formatLocalTime(at)}  ${letters}`, columns).map((line) => paint.faint(line));
  return [table, ...foot].join('\n');
}
