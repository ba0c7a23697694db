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

/** For a terminal: what was measured by part, the comparison side by side. */
export function formatReport({ machine, rows, notes, failures }: Report): string {
  const { own, compared } = split(rows);
  const lines = own.flatMap((row, index) =>
    row.part === own[index - 1]?.part ? [cellsOf(row)] : [[], [`${row.part}:`], cellsOf(row)],
  );
  const blocks = [
    machine,
    ...(own.length === 0 ? [] : [alignColumns([headings, ...lines])]),
    ...(compared.length === 0 ? [] : [alignColumns(comparison(compared))]),
    ...(notes.length === 0 ? [] : [notes.join('\n')]),
    failures.length === 0 ? 'nothing lost, nothing twice' : failures.join('\n'),
  ];
  return blocks.join('\n\n');
}

/** What counts of it as Markdown tables, to be pasted. */
export function formatMarkdown({ machine, command, rows, notes }: Report): string {
  const { own, compared } = split(rows.filter(({ headline }) => headline));
  const table = ([heading = [], ...lines]: string[][], isNumber: (column: number) => boolean) =>
    [heading, heading.map((_, index) => (isNumber(index) ? '---:' : '---')), ...lines]
      .map((cells) => `| ${cells.join(' | ')} |`)
      .join('\n');
  const named = own.map((row, index) => [row.part === own[index - 1]?.part ? '' : row.part, ...cellsOf(row)]);
  const blocks = [
    `${machine}; \`${command}\``,
    ...(own.length === 0 ? [] : [table([['', ...headings], ...named], (index) => index === 2)]),
    ...(compared.length === 0 ? [] : [table(comparison(compared), (index) => index > 0)]),
    ...(notes.length === 0 ? [] : [notes.join('\n')]),
  ];
  return blocks.join('\n\n');
}

/** Parts of this beginning are a contestant each, and stand beside each other. */
export const comparedPart = 'compare: ';

function split(rows: readonly Row[]) {
  const isCompared = ({ part }: Row) => part.startsWith(comparedPart);
  return { own: rows.filter((row) => !isCompared(row)), compared: rows.filter(isCompared) };
}

/** A line a contestant, a column a figure. */
function comparison(rows: readonly Row[]): string[][] {
  const names = [...new Set(rows.map(({ name }) => name))];
  const byPart = Map.groupBy(rows, ({ part }) => part.slice(comparedPart.length));
  const lines = [...byPart].map(([title, figures]) => [
    title,
    ...names.map((name) => {
      const figure = figures.find((row) => row.name === name);
      return figure === undefined ? '' : withUnit(formatValue(figure.median, figure.unit), figure.unit);
    }),
  ]);
  return [['', ...names], ...lines];
}

/** Columns under each other; the second and those that follow numbers are right of their width. */
function alignColumns(lines: readonly (readonly string[])[]): string {
  const columns = Math.max(...lines.map((cells) => cells.length));
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...lines.map((cells) => (cells.length > 1 ? (cells[column]?.length ?? 0) : 0))),
  );
  const pad = (text: string, column: number) =>
    column === 0 ? text.padEnd(widths[0] ?? 0) : text.padStart(widths[column] ?? 0);
  return lines.map((cells) => cells.map(pad).join('  ').trimEnd()).join('\n');
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
