import type { Reason, Standing, TraceDocument, TraceStep } from '../../tools/trace/trace-document.ts';
import { formatFields } from './fields.ts';
import { type Paint, paintStatus } from './paint.ts';
import { type Column, formatTable } from './table.ts';
import { visible } from './terminal-text.ts';
import { formatAge, formatLocalTime } from './times.ts';
import { wrap } from './wrap.ts';

/** What a page is painted with, and how wide it may be; undefined for any width. */
export interface PageSettings {
  paint: Paint;
  columns: number | undefined;
}

/** Columns below which what happened stands under its step instead of beside it. */
const narrowColumns = 72;
/** What the columns before the last take. */
const leadColumns = 52;
const detailColumnsMin = 20;
/** Details quote what others wrote, which may be one long word. */
const prose = { breaksWords: true };

/** The way of an order for people: the order, a table of what happened, and where it stands. */
export function formatTrace(document: TraceDocument, page: PageSettings): string {
  const parts = [formatTraceHead(document, page), formatSteps(document.steps, page)];
  if (document.standing !== null) parts.push(formatStanding(document.standing, page));
  const notes = document.notes.map((note) => wrap(visible(note), page.columns).join('\n'));
  if (notes.length > 0) parts.push(page.paint.faint(notes.join('\n')));
  return parts.join('\n\n');
}

/** Which order it is, and what came of it. */
export function formatTraceHead(
  { order, order_id, total_ms }: TraceDocument,
  { paint, columns }: PageSettings,
): string {
  const id = ['Order', visible(order_id)] as const;
  if (order === null) return formatFields([id], paint, columns);
  const status = order.reason === null ? order.status : `${order.status} (${order.reason})`;
  const took = total_ms === null ? '' : ` after ${formatMs(total_ms)}`;
  const fields = [
    id,
    ['Status', `${paintStatus(paint, order.status, visible(status))}${took}`] as const,
    ['Created', formatLocalTime(order.created_at)] as const,
  ];
  return formatFields(fields, paint, columns);
}

/** What happened, a row each; what does not fit beside goes on below. */
export function formatSteps(
  steps: readonly TraceStep[],
  { paint, columns }: PageSettings,
  options: { heading: boolean } = { heading: true },
): string {
  if (columns !== undefined && columns < narrowColumns) return formatNarrow(steps, { paint, columns });
  const room = columns === undefined ? undefined : Math.max(columns - leadColumns, detailColumnsMin);
  const rows = steps.flatMap((step) =>
    wrap(visible(step.detail), room, 0, prose).map((detail, index) => ({
      step,
      detail,
      isFirst: index === 0,
    })),
  );
  const first = (text: (step: TraceStep) => string) => (row: Row) => (row.isFirst ? text(row.step) : '');
  const table: Column<Row>[] = [
    {
      heading: '  STEP'.padEnd(17),
      text: first(stepName),
      paint: ({ step }, text) => paintStep(paint, step, text),
    },
    { heading: 'SERVICE ', text: first(({ service }) => service) },
    { heading: 'TIME'.padEnd(12), text: first(({ at }) => formatTime(at)) },
    {
      heading: 'MS'.padStart(7),
      text: first(({ ms }) => (ms === null ? '' : ms.toFixed(1))),
      align: 'right',
    },
    { heading: 'WHAT', text: ({ detail }) => detail },
  ];
  const text = formatTable(rows, table, { paint });
  return options.heading ? text : text.slice(text.indexOf('\n') + 1);
}

interface Row {
  step: TraceStep;
  detail: string;
  isFirst: boolean;
}

function formatNarrow(
  steps: readonly TraceStep[],
  { paint, columns }: { paint: Paint; columns: number },
): string {
  return steps
    .map((step) => {
      const ms = step.ms === null ? '' : `  ${step.ms.toFixed(1)} ms`;
      const detail = wrap(visible(step.detail), columns - 4, 0, prose).map((line) => `    ${line}`);
      return [paintStep(paint, step, `${stepName(step)}${ms}`), ...detail].join('\n');
    })
    .join('\n');
}

function stepName({ step, number }: TraceStep): string {
  return `${number ?? ' '} ${step}`;
}

function paintStep(paint: Paint, { step, number }: TraceStep, text: string): string {
  if (step === 'dead-letter' || step === 'discarded') return paint.bad(text);
  return number === null ? paint.open(text) : text;
}

/** Where an order stands, why, and what to type. */
export function formatStanding(standing: Standing, { paint, columns }: PageSettings): string {
  const { next_step, number, service, detail, waiting_s, reasons, commands } = standing;
  const room = columns === undefined ? undefined : Math.max(columns - 7, detailColumnsMin);
  const list = (name: string, texts: readonly string[]) =>
    texts.map((text, index) => [index === 0 ? name : '', text] as const);
  const age = waiting_s === null ? '' : `, for ${formatAge(waiting_s)}`;
  const wrapped = (texts: readonly string[]) => texts.flatMap((text) => wrap(visible(text), room, 0, prose));
  return formatFields(
    [
      ...list('Waits', wrapped([`${detail}${age}`])).map(([name, text]) => [name, paint.open(text)] as const),
      ...list('Next', wrapped([`step ${number}, ${next_step}, by ${service}`])),
      ...list('Why', wrapped(reasons.map(describeReason))),
      // A command is never broken: it is to be copied.
      ...list('Do', commands.map(visible)),
    ],
    paint,
  );
}

function describeReason({ detail, since }: Reason): string {
  return since === null ? detail : `${detail} (${formatLocalTime(since)})`;
}

function formatTime(at: string | null): string {
  return at === null ? '-' : `${formatLocalTime(at).slice(11)}.${at.slice(20, 23)}`;
}

/** Milliseconds for people: `4.2 ms`, `1.2 s`, `3 min`. */
export function formatMs(ms: number): string {
  if (ms < 1_000) return `${ms.toFixed(1)} ms`;
  return ms < 10_000 ? `${(ms / 1_000).toFixed(1)} s` : formatAge(ms / 1_000);
}
