import type { TillboxCommand } from '../command.ts';
import { topics } from '../help.ts';
import { visible } from '../terminal/terminal-text.ts';
import { type Candidate, wantedAt } from './wanted.ts';

const descriptionCharactersMax = 60;

/** Prints what may stand at the last word: value, tab, description. Silent, whatever goes wrong. */
export async function printCandidates(program: TillboxCommand, words: readonly string[]): Promise<void> {
  try {
    const current = words.at(-1) ?? '';
    const candidates = await candidatesAt(program, words, current);
    const lines = candidates.map(({ value, description }) => `${value}\t${short(description)}\n`);
    process.stdout.write(lines.join(''));
  } catch {
    // A TAB that completes nothing says enough.
  }
}

async function candidatesAt(
  program: TillboxCommand,
  words: readonly string[],
  current: string,
): Promise<Candidate[]> {
  const wanted = wantedAt(program, words, Object.keys(topics));
  if (wanted.kind === 'these') {
    return wanted.candidates.filter(({ value }) => value.startsWith(current));
  }
  const { knownOrders, knownUsers } = await import('./known-ids.ts');
  // Not filtered: a user id may stand for order ids.
  if (wanted.kind === 'order-id') return knownOrders(process.env, current);
  return knownUsers(process.env).filter(({ value }) => value.startsWith(current));
}

function short(description: string): string {
  const safe = visible(description);
  return safe.length <= descriptionCharactersMax ? safe : `${safe.slice(0, descriptionCharactersMax - 1)}…`;
}
