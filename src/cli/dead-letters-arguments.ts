import { hostname, userInfo } from 'node:os';
import { gaveUpReason } from '../messaging/dead-letter-store.ts';
import { deadLetterQueues, deadLetterReasons } from '../messaging/dead-letters.ts';
import type { Queue } from '../messaging/messages.ts';
import { isUuid, uuidSchema } from '../platform/field-schemas.ts';
import { type Argument, readArgument } from './arguments.ts';

/** What the commands of dead letters take. */

const reasons: readonly string[] = [...deadLetterReasons, gaveUpReason];
const textCharactersMax = 500;

export const letterIdArgument: Argument<string> = {
  name: 'ID',
  field: 'id',
  question: 'Dead letter',
  rule: `${uuidSchema.description}, such as dead-letters list prints it`,
  read: (text) => (isUuid(text) ? text.toLowerCase() : undefined),
};

const queueArgument: Argument<Queue> = {
  name: '--queue',
  field: 'queue',
  question: 'Queue',
  rule: `must be one of ${deadLetterQueues.map(({ queue }) => queue).join(', ')}`,
  read: (text) => deadLetterQueues.find(({ queue, name }) => queue === text || name === text)?.queue,
};

const reasonArgument: Argument<string> = {
  name: '--reason',
  field: 'reason',
  question: 'Reason',
  rule: `must be one of ${reasons.join(', ')}`,
  read: (text) => reasons.find((reason) => reason === text),
};

function textArgument(field: string): Argument<string> {
  return {
    name: `--${field}`,
    field,
    question: field,
    rule: `must be 1 to ${textCharactersMax} characters of well-formed text without NUL`,
    read: (text) => {
      const trimmed = text.trim();
      const fits = trimmed !== '' && [...trimmed].length <= textCharactersMax;
      return fits && trimmed.isWellFormed() && !trimmed.includes('\0') ? trimmed : undefined;
    },
  };
}

/** Queue and reason, where they are given. */
export function readFilter(options: { queue?: string; reason?: string }): {
  queue: Queue | undefined;
  reason: string | undefined;
} {
  return {
    queue: options.queue === undefined ? undefined : readArgument(queueArgument, options.queue),
    reason: options.reason === undefined ? undefined : readArgument(reasonArgument, options.reason),
  };
}

/** Why dead letters are given up. */
export function readWhy(text: string): string {
  return readArgument(textArgument('why'), text);
}

/** Who deals with dead letters: as given, else the user of the operating system. */
export function readWho(text: string | undefined): string {
  return text === undefined ? `${userName()}@${hostname()}` : readArgument(textArgument('who'), text);
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A user id without a name, as containers have them.
    return `uid-${process.getuid?.() ?? 'unknown'}`;
  }
}
