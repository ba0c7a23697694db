import { splitText, textWidth } from './text-width.ts';

/** An id, with what may stand behind one in a sentence. */
const isId = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}[.,;:)]*$/;

/**
 * Breaks text at its spaces into lines that end within `columns` when they begin at column `begin`; a word
 * longer than a line, such as a path or an id, stays whole. With `breaksWords` only an id does. Without `columns`,
 * everything is one line.
 */
export function wrap(
  text: string,
  columns: number | undefined,
  begin = 0,
  options: { breaksWords: boolean } = { breaksWords: false },
): string[] {
  if (columns === undefined) return [text];
  const room = Math.max(columns - begin, 1);
  if (textWidth(text) <= room) return [text];
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && textWidth(line) + 1 + textWidth(word) > room) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
    if (options.breaksWords && textWidth(line) > room && !isId.test(line)) {
      const pieces = splitText(line, room);
      lines.push(...pieces.slice(0, -1));
      line = pieces.at(-1) ?? '';
    }
  }
  return [...lines, line];
}

/** A meaning beside its term that has less room than this stands better below it. */
const meaningColumnsMin = 16;

/** Terms and what they mean, in two columns; what is long goes on in the second one. */
export function formatTerms(terms: readonly (readonly [string, string])[], columns: number): string {
  const width = Math.max(...terms.map(([term]) => term.length));
  const begin = width + 4;
  if (columns - begin < meaningColumnsMin) {
    const indent = ' '.repeat(6);
    return terms
      .map(([term, meaning]) =>
        [`  ${term}`, ...wrap(meaning, columns, 6).map((line) => indent + line)].join('\n'),
      )
      .join('\n');
  }
  return terms
    .map(([term, meaning]) =>
      wrap(meaning, columns, begin)
        .map((line, index) => `  ${(index === 0 ? term : '').padEnd(width)}  ${line}`)
        .join('\n'),
    )
    .join('\n');
}

/** Prose, broken anew to end within `columns`; a line that is indented stands as it is. */
export function reflow(text: string, columns: number): string {
  const parts: string[] = [];
  for (const line of text.split('\n')) {
    const before = parts.at(-1);
    const goesOn = before !== undefined && !/^(\s|$)/.test(before) && !/^(\s|$)/.test(line);
    if (goesOn) parts[parts.length - 1] = `${before} ${line}`;
    else parts.push(line);
  }
  return parts.map((part) => (/^\s/.test(part) ? part : wrap(part, columns).join('\n'))).join('\n');
}

/**
 * A command line to be copied, behind a `$`; one that is too long is broken as a shell allows it, between words,
 * with a backslash. What is quoted stays whole.
 */
export function wrapCommand(line: string, columns: number): string {
  const words = line.match(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g) ?? [];
  const lines: string[] = [];
  let current = '  $';
  for (const word of words) {
    if (current.trim() !== '$' && current.length + ` ${word} \\`.length > columns) {
      lines.push(`${current} \\`);
      // An id has room on the narrowest terminal only so.
      current = `    ${word} \\`.length > columns ? ' ' : '   ';
    }
    current += ` ${word}`;
  }
  return [...lines, current].join('\n');
}
