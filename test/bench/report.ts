import { cpus, totalmem } from 'node:os';
import type { Row, Unit } from './figures.ts';

/** What the bench prints. */

/** Everything there is to tell. */
export interface Report {
  /** Whether nothing was lost or doubled. */
  ok: boolean;
  machine: string;
  command: string;
  seconds: number;
  rows: readonly Row[];
  /** What could not be measured, and why. */
  notes: readonly string[];
  /** What was lost or doubled. */
  failures: readonly string[];
}

const headings = ['figure', 'median', 'least – greatest', 'goal'];

/** The machine in a line, as the README says it. */
export function describeMachine(postgres: string): string {
  const cores = cpus().length;
  const gigabytes = Math.round(totalmem() / 1e9);
  return `${cores} ${cores === 1 ? 'core' : 'cores'} (${cpus()[0]?.model.trim() ?? 'unknown'}), ${gigabytes} GB, ${process.platform}, Node ${process.versions.node}, Postgres ${postgres}, durability on`;
}

/** A table for a terminal, a heading for each part. */
export function formatReport(report: Report): string {
  const { machine, rows, notes, failures } = report;
  const lines: string[] = [machine, ''];
  const cells = rows.map(cellsOf);
  const widths = headings.map((heading, index) =>
    Math.max(heading.length, ...cells.map((row) => row[index]?.length ?? 0)),
  );
  const pad = (texts: readonly string[]) =>
    texts
      .map((text, index) =>
        index === 1 ? text.padStart(widths[index] ?? 0) : text.padEnd(widths[index] ?? 0),
      )
      .join('  ')
      .trimEnd();
  let part = '';
  rows.forEach((row, index) => {
    if (row.part !== part) lines.push(...(part === '' ? [] : ['']), row.part, pad(headings));
    part = row.part;
    lines.push(pad(cells[index] ?? []));
  });
  if (notes.length > 0) lines.push('', ...notes);
  lines.push('', failures.length === 0 ? 'nothing lost, nothing twice' : failures.join('\n'));
  return lines.join('\n');
}

/** The same as a Markdown table, to be pasted. */
export function formatMarkdown({ machine, command, rows, notes }: Report): string {
  const line = (texts: readonly string[]) => `| ${texts.join(' | ')} |`;
  return [
    `${machine}; \`${command}\``,
    '',
    line(['', ...headings]),
    '|---|---|---:|---|---|',
    ...rows.map((row, index) => line([row.part === rows[index - 1]?.part ? '' : row.part, ...cellsOf(row)])),
    ...(notes.length === 0 ? [] : ['', ...notes]),
  ].join('\n');
}

function cellsOf({ name, unit, goal, median, min, max, values }: Row): string[] {
  const range = values.length > 1 ? `${formatValue(min, unit)} – ${formatValue(max, unit)}` : '';
  return [name, withUnit(formatValue(median, unit), unit), range, goal ?? ''];
}

function withUnit(text: string, unit: Unit): string {
  if (unit === '') return text;
  return unit === '/s' || unit === '%' ? `${text}${unit === '%' ? ' %' : '/s'}` : `${text} ${unit}`;
}

/** Three digits that count, thousands apart. */
export function formatValue(value: number, unit: Unit): string {
  const digits = unit === 'x' ? 2 : value >= 100 || Number.isInteger(value) ? 0 : value >= 10 ? 1 : 2;
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
