import { type Paint, plainPaint } from './paint.ts';

/** A column: its heading, its text in a row, and how it stands. */
export interface Column<Row> {
  heading: string;
  /** One line, already safe for a terminal. */
  text(row: Row): string;
  /** Right for numbers: amounts have two decimals, so their points stand in line. */
  align?: 'left' | 'right';
  /** Colours the text, after it was padded. */
  paint?(row: Row, text: string): string;
}

const gap = '  ';

/**
 * Rows as an aligned table under its headings. Nothing is ever cut, but for the last column, which is
 * shortened to end within `columns` when that is given.
 */
export function formatTable<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  options: { columns?: number | undefined; paint?: Paint } = {},
): string {
  const { paint = plainPaint } = options;
  const texts = rows.map((row) => columns.map((column) => column.text(row)));
  const widths = columns.map(({ heading }, index) =>
    texts.reduce((width, cells) => Math.max(width, cells[index]?.length ?? 0), heading.length),
  );
  const lastBegin = widths.slice(0, -1).reduce((sum, width) => sum + width + gap.length, 0);
  const lastHeading = columns.at(-1)?.heading.length ?? 0;
  const room = options.columns === undefined ? undefined : Math.max(options.columns - lastBegin, lastHeading);
  const cell = (text: string, index: number): string => {
    const isLast = index === columns.length - 1;
    const width = widths[index] ?? 0;
    if (columns[index]?.align === 'right') return text.padStart(width);
    return isLast ? shorten(text, room) : text.padEnd(width);
  };
  const heading = columns.map((column, index) => paint.heading(cell(column.heading, index))).join(gap);
  const lines = texts.map((cells, rowIndex) =>
    cells
      .map((text, index) => {
        const row = rows[rowIndex] as Row;
        const padded = cell(text, index);
        return columns[index]?.paint?.(row, padded) ?? padded;
      })
      .join(gap)
      .trimEnd(),
  );
  return [heading.trimEnd(), ...lines].join('\n');
}

/** Names and values as two aligned columns; a value that is undefined leaves its line out. */
export function formatFields(
  fields: readonly (readonly [name: string, value: string | undefined])[],
  paint: Paint = plainPaint,
): string {
  const shown = fields.filter(([, value]) => value !== undefined);
  const width = Math.max(...shown.map(([name]) => name.length));
  return shown.map(([name, value]) => `${paint.faint(name.padEnd(width))}${gap}${value}`).join('\n');
}

function shorten(text: string, room: number | undefined): string {
  if (room === undefined || text.length <= room) return text;
  return `${text
    .slice(0, room - 1)
    .toWellFormed()
    .replace(/\ufffd$/, '')}…`;
}
