import { type Paint, plainPaint } from './paint.ts';
import { padText, shortenText, textWidth } from './text-width.ts';

/** A column: its heading, its text in a row, and how it stands. */
export interface Column<Row> {
  heading: string;
  /** One line, already safe for a terminal. */
  text(row: Row): string;
  /** Right for numbers: amounts have two decimals, so their points stand in line. */
  align?: 'left' | 'right';
  /** Whether it must not be shortened where it is the last column: an id. */
  whole?: boolean;
  /** Colours the text, after it was padded. */
  paint?(row: Row, text: string): string;
}

const gap = '  ';

/**
 * Rows as an aligned table under its headings, within `columns` where that is given. The last column is
 * shortened to fit; what then still has no room beside the others goes on further lines of the row. Nothing
 * else is ever cut or broken.
 */
export function formatTable<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  options: { columns?: number | undefined; paint?: Paint } = {},
): string {
  const { paint = plainPaint } = options;
  const texts = rows.map((row) => columns.map((column) => column.text(row)));
  const widths = columns.map(({ heading }, index) =>
    texts.reduce((width, cells) => Math.max(width, textWidth(cells[index] ?? '')), textWidth(heading)),
  );
  const lines = breakRow(columns, widths, options.columns ?? Number.POSITIVE_INFINITY);
  const layOut = (cells: readonly string[], paintCell: (text: string, index: number) => string) =>
    lines
      // A further line that says nothing is left out.
      .filter((line, number) => number === 0 || line.some(({ index }) => cells[index] !== ''))
      .map((line, number) => {
        const parts = line.map(({ index, width }) => {
          const text = shortenText(cells[index] ?? '', width);
          const isLast = index === columns.length - 1 && columns[index]?.align !== 'right';
          return paintCell(isLast ? text : padText(text, width, columns[index]?.align), index);
        });
        return `${number === 0 ? '' : gap}${parts.join(gap)}`.trimEnd();
      })
      .join('\n');
  const headings = columns.map(({ heading }) => heading);
  return [
    layOut(headings, (text) => paint.heading(text)),
    ...rows.map((row, number) =>
      layOut(texts[number] ?? [], (text, index) => columns[index]?.paint?.(row, text) ?? text),
    ),
  ].join('\n');
}

/** A column in a line of a row, and the width it has there. */
interface Placed {
  index: number;
  width: number;
}

/** The lines of a row: all columns on one where there is room, else on further ones that are indented. */
function breakRow<Row>(columns: readonly Column<Row>[], widths: readonly number[], room: number): Placed[][] {
  const lines: Placed[][] = [];
  let line: Placed[] | undefined;
  let used = 0;
  for (const [index, { heading, whole }] of columns.entries()) {
    const width = widths[index] ?? 0;
    const isShortened = index === columns.length - 1 && !whole;
    const needed = isShortened ? Math.min(width, textWidth(heading)) : width;
    if (line === undefined || used + needed > room) {
      used = line === undefined ? 0 : gap.length;
      line = [];
      lines.push(line);
    }
    line.push({ index, width: isShortened ? Math.min(width, Math.max(room - used, needed)) : width });
    used += width + gap.length;
  }
  return lines;
}
