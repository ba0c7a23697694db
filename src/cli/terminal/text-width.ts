import { stripVTControlCharacters } from 'node:util';
import truncatedWidth from 'fast-string-truncated-width';

/** Columns a text takes on a terminal: two for a wide character, none for a combining mark or a colour. */
export function textWidth(text: string): number {
  // What a table has is ASCII, nearly always.
  return /^[ -~]*$/.test(text) ? text.length : truncatedWidth(stripVTControlCharacters(text)).width;
}

/** The text with blanks behind it, or before it, up to a width. */
export function padText(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const blanks = ' '.repeat(Math.max(0, width - textWidth(text)));
  return align === 'left' ? text + blanks : blanks + text;
}

let segmenter: Intl.Segmenter | undefined;

/** The characters, as people count them. Made when needed: it takes as long as a tenth of a command's start. */
function graphemesOf(text: string): string[] {
  segmenter ??= new Intl.Segmenter();
  return [...segmenter.segment(text)].map(({ segment }) => segment);
}

/** The text, cut to a width with an ellipsis when it is wider; never within a character. For text without colours. */
export function shortenText(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  let kept = '';
  for (const segment of graphemesOf(text)) {
    if (textWidth(kept + segment) >= width) break;
    kept += segment;
  }
  return `${kept}…`;
}

/** What `visible` makes of a character that is dangerous to show. */
const escapes = /(\\u\{[0-9a-f]{1,6}\})/;

/** The text in pieces of at most a width, never split within a character or an escape. For text without colours. */
export function splitText(text: string, width: number): string[] {
  const pieces: string[] = [];
  let piece = '';
  const units = text.split(escapes).flatMap((part) => (escapes.test(part) ? [part] : graphemesOf(part)));
  for (const unit of units) {
    if (piece !== '' && textWidth(piece + unit) > width) {
      pieces.push(piece);
      piece = '';
    }
    piece += unit;
  }
  return [...pieces, piece];
}
