import { type Paint, plainPaint } from './paint.ts';
import { textWidth } from './text-width.ts';
import { wrap } from './wrap.ts';

/** A name and its value; one that is undefined is left out. Of `prose` a word that is too long is broken. */
export type Field = readonly [name: string, value: string | undefined, kind?: 'prose'];

const gap = '  ';
/** A text beside its name that has less room than this is better below it. */
const roomMin = 16;

/**
 * Names and values as two aligned columns. Where `columns` is given, a value that has no room beside its name but
 * has on a line of its own, such as an id, gets one; what is longer still goes on in further lines.
 */
export function formatFields(
  fields: readonly Field[],
  paint: Paint = plainPaint,
  columns = Number.POSITIVE_INFINITY,
): string {
  const shown = fields.filter(([, value]) => value !== undefined);
  const width = Math.max(...shown.map(([name]) => name.length));
  const room = columns - width - gap.length;
  return shown
    .map(([name, value = '', kind]) => {
      const beside = (lines: readonly string[]) =>
        `${paint.faint(name.padEnd(width))}${gap}${lines.join(`\n${' '.repeat(width)}${gap}`)}`;
      const below = (lines: readonly string[]) =>
        `${paint.faint(name)}\n${lines.map((line) => gap + line).join('\n')}`;
      if (textWidth(value) <= room) return beside([value]);
      const options = { breaksWords: kind === 'prose' };
      if (kind !== 'prose' && textWidth(value) <= columns - gap.length) return below([value]);
      const lines = wrap(value, room, 0, options);
      const fits = room >= roomMin && lines.every((line) => textWidth(line) <= room);
      return fits ? beside(lines) : below(wrap(value, columns, gap.length, options));
    })
    .join('\n');
}
