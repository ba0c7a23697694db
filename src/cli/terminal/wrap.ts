/**
 * Breaks text at its spaces into lines that end within `columns` when they begin at column `begin`; a word
 * longer than a line, such as a path or an id, stays whole. Without `columns`, everything is one line.
 */
export function wrap(text: string, columns: number | undefined, begin = 0): string[] {
  if (columns === undefined) return [text];
  const room = Math.max(columns - begin, 1);
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > room) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
