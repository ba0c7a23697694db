import { visible } from '../terminal/terminal-text.ts';

/** Words as a shell takes them, on one line; safe to show. */
export function shellWords(words: readonly string[]): string {
  return words.map(shellWord).map(visible).join(' ');
}

function shellWord(word: string): string {
  return /^[A-Za-z0-9._@:/=-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
