import type { QueueView } from '../../tools/queues.ts';
import type { Health, StepLatency, TopDocument, TopEvent } from '../../tools/top/top-document.ts';
import type { Paint } from './paint.ts';
import { type Column, formatTable } from './table.ts';
import { visible } from './terminal-text.ts';
import { formatAge, formatLocalTime } from './times.ts';

/** What a screen shows: the last measurement, and what was remembered of those before. */
export interface TopState {
  document: TopDocument;
  /** Newest last. */
  events: readonly TopEvent[];
  /** Settled a second, newest last. */
  history: readonly (number | null)[];
}

interface Size {
  columns: number;
  rows: number;
}

type Style = keyof Paint | undefined;
/** A line before it is cut and painted. */
interface Line {
  text: string;
  style?: Style;
}

const bars = '▁▂▃▄▅▆▇█';
/** Columns below which only what matters most is shown. */
const narrowColumns = 64;
/** Columns the bars of the rates need. */
const historyColumns = 30;

/** The screen of `tillbox top`: as many lines as there are rows at most, none wider than it may be. Pure. */
export function drawTop(state: TopState, { columns, rows }: Size, paint: Paint): string[] {
  const { document, events } = state;
  const isNarrow = columns < narrowColumns;
  const lines: Line[] = [
    { text: title(document, columns), style: 'heading' },
    ...healthLines(document.health),
    ...document.away.map(
      ({ database, message }): Line => ({
        text: `the ${database} database is away: ${visible(message)}`,
        style: 'bad',
      }),
    ),
    { text: ratesLine(state, columns) },
    ...table(document.latencies_ms, latencyColumns(isNarrow)),
    ...table(document.queues.filter(isShown), queueColumns(isNarrow)),
    ...letterLines(document),
    ...document.notes.map((note): Line => ({ text: note, style: 'open' })),
  ];
  const room = rows - lines.length - 1;
  const shown = room > 0 ? events.slice(-room).reverse() : [];
  if (room > 0) lines.push({ text: 'EVENTS', style: 'heading' }, ...shown.map(eventLine));
  return lines.slice(0, rows).map(({ text, style }) => {
    const cut = cutTo(text, columns);
    return style === undefined ? cut : paint[style](cut);
  });
}

function title({ at }: TopDocument, columns: number): string {
  const name = `tillbox top  ${formatLocalTime(at)}`;
  const keys = 'q to quit';
  return columns < name.length + keys.length + 2 ? name : name + keys.padStart(columns - name.length);
}

function healthLines(health: Health | null): Line[] {
  if (health === null) return [{ text: 'gateway ?  orders ?  payments ?', style: 'faint' }];
  const count = (name: 'orders' | 'payments') => {
    const instances = health[name];
    const ready = instances.filter((instance) => instance.ready).length;
    return {
      text: `${name} ${ready} of ${instances.length} ready`,
      ok: ready > 0 && ready === instances.length,
    };
  };
  const [orders, payments] = [count('orders'), count('payments')];
  const gateway = `gateway ${health.gateway.ready ? 'ready' : 'not ready'}`;
  const ok = health.gateway.ready && orders.ok && payments.ok;
  return [{ text: `${gateway}  ${orders.text}  ${payments.text}`, style: ok ? 'good' : 'bad' }];
}

function ratesLine({ document, history }: TopState, columns: number): string {
  const { created_per_s, received_per_s, decided_per_s, settled_per_s } = document.rates;
  const rates = [
    ['created', created_per_s],
    ['received', received_per_s],
    ['decided', decided_per_s],
    ['settled', settled_per_s],
  ] as const;
  const shown =
    columns < narrowColumns ? rates.filter(([name]) => name === 'created' || name === 'settled') : rates;
  const text = `/s  ${shown.map(([name, rate]) => `${name} ${rate ?? '-'}`).join('  ')}`;
  const room = columns - text.length - 2;
  return room < historyColumns ? text : `${text}  ${historyBars(history.slice(-room))}`;
}

/** Values as bars, the highest at full height. */
function historyBars(values: readonly (number | null)[]): string {
  const highest = Math.max(1, ...values.map((value) => value ?? 0));
  return values
    .map((value) => (value === null ? ' ' : bars[Math.min(7, Math.floor((value / highest) * 7.99))]))
    .join('');
}

function table<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): Line[] {
  const [heading = '', ...lines] = formatTable(rows, columns).split('\n');
  return [{ text: heading, style: 'heading' }, ...lines.map((text) => ({ text }))];
}

function latencyColumns(isNarrow: boolean): Column<StepLatency>[] {
  const time = (heading: string, value: (row: StepLatency) => number | null): Column<StepLatency> => ({
    heading,
    text: (row) => value(row)?.toFixed(1) ?? '-',
    align: 'right',
  });
  const all: Column<StepLatency>[] = [
    {
      heading: 'LATENCY MS'.padEnd(isNarrow ? 0 : 16),
      text: ({ step, number }) => (number === null ? '  whole order' : `${number} ${step}`),
    },
    time('    P50', ({ p50 }) => p50),
    time('    P95', ({ p95 }) => p95),
    time('    P99', ({ p99 }) => p99),
    { heading: 'ORDERS', text: ({ orders }) => String(orders), align: 'right' },
  ];
  return isNarrow ? [...all.slice(0, 2), ...all.slice(3, 4)] : all;
}

function queueColumns(isNarrow: boolean): Column<QueueView>[] {
  const number = (value: number | null) => (value === null ? '-' : String(value));
  const right = (heading: string, text: (row: QueueView) => string): Column<QueueView> => ({
    heading,
    text,
    align: 'right',
  });
  const all = [
    { heading: 'QUEUE'.padEnd(16), text: ({ name }: QueueView) => name },
    right('MESSAGES', ({ depth, estimated }) => `${estimated ? '~' : ''}${depth}`),
    right(' OLDEST', ({ oldest_s }) => (oldest_s === null ? '-' : formatAge(oldest_s))),
    right('IN FLIGHT', ({ in_flight }) => number(in_flight)),
    right('RETRYING', ({ retrying_jobs }) => number(retrying_jobs)),
    right('  IN/S', ({ in_per_s }) => number(in_per_s)),
    right(' OUT/S', ({ out_per_s }) => number(out_per_s)),
  ];
  return isNarrow ? all.slice(0, 3) : all;
}

/** Queues of dead letters have a line of their own. */
function isShown({ kind }: QueueView): boolean {
  return kind !== 'dead-letters';
}

function letterLines({ dead_letters }: TopDocument): Line[] {
  if (dead_letters === null) return [];
  if (dead_letters === 0) return [{ text: 'no dead letters', style: 'faint' }];
  const noun = dead_letters === 1 ? 'dead letter' : 'dead letters';
  return [{ text: `${dead_letters} ${noun}: tillbox dead-letters list`, style: 'bad' }];
}

const good = new Set<TopEvent['event']>(['daemon-started', 'daemon-back', 'database-back', 'redriven']);
const bad = new Set<TopEvent['event']>(['dead-letter', 'daemon-away', 'database-away']);

function eventLine({ at, event, detail }: TopEvent): Line {
  const style = good.has(event) ? 'good' : bad.has(event) ? 'bad' : 'open';
  return { text: `${formatLocalTime(at).slice(11)}  ${visible(detail)}`, style };
}

function cutTo(text: string, columns: number): string {
  return text.length <= columns ? text : `${text.slice(0, Math.max(0, columns - 1)).toWellFormed()}…`;
}
