import { CodedError } from '../platform/errors.ts';
import { isUserId, isUuid, userIdSchema, uuidSchema } from '../platform/field-schemas.ts';
import { idempotencyKeySchema } from '../platform/http-headers.ts';
import { amountRule, formatAmount, parseAmount } from '../platform/money.ts';
import type { TillboxCommand } from './command.ts';
import { plainPaint } from './terminal/paint.ts';
import type { Terminal } from './terminal/terminal.ts';
import { visible } from './terminal/terminal-text.ts';

/** An argument of commands: how it is called, asked for and read. The rules are those of the services. */
export interface Argument<Value> {
  /** As the usage line has it. */
  readonly name: string;
  /** As the services have it. */
  readonly field: string;
  readonly question: string;
  /** The rule as a sentence that begins behind the field's name. */
  readonly rule: string;
  /** The value, or undefined when the text breaks the rule. */
  read(text: string): Value | undefined;
}

export const userArgument: Argument<string> = {
  name: 'USER',
  field: 'user_id',
  question: 'User id',
  rule: userIdSchema.description,
  read: (text) => (isUserId(text) ? text : undefined),
};

/** Read into a decimal string with two decimals. */
export const amountArgument: Argument<string> = {
  name: 'AMOUNT',
  field: 'amount',
  question: 'Amount, such as 49.90',
  rule: amountRule,
  read: (text) => {
    const amount = parseAmount(text);
    return amount === undefined ? undefined : formatAmount(amount);
  },
};

export const orderIdArgument: Argument<string> = {
  name: 'ID',
  field: 'id',
  question: 'Order id',
  rule: `${uuidSchema.description}, such as create-order prints it`,
  read: (text) => (isUuid(text) ? text.toLowerCase() : undefined),
};

const descriptionCharactersMax = 500;
export const descriptionArgument: Argument<string> = {
  name: 'DESCRIPTION',
  field: 'description',
  question: 'Description',
  rule: `must be up to ${descriptionCharactersMax} characters of well-formed text without NUL`,
  read: (text) =>
    [...text].length <= descriptionCharactersMax && text.isWellFormed() && !text.includes('\0')
      ? text
      : undefined,
};

export const idempotencyKeyArgument: Argument<string> = {
  name: '--idempotency-key',
  field: 'idempotency-key',
  question: 'Idempotency key',
  rule: idempotencyKeySchema.description,
  read: (text) => (new RegExp(idempotencyKeySchema.pattern).test(text) ? text : undefined),
};

/**
 * Reads an argument that was given.
 * @throws CodedError `validation-failed` that names field, rule and what was given
 */
export function readArgument<Value>(argument: Argument<Value>, text: string): Value {
  const value = argument.read(text);
  if (value !== undefined) return value;
  const { field, rule } = argument;
  // Long input helps nobody in a message.
  const given = text.length > 80 ? `${text.slice(0, 80).toWellFormed()}…` : text;
  throw new CodedError(
    'validation-failed',
    `${field} ${rule}. It was "${visible(given)}"; nothing was sent.`,
    {
      fields: [{ field, message: rule }],
    },
  );
}

/**
 * Reads an argument; one that is missing is asked for on a terminal, and is a usage error elsewhere.
 * @throws CodedError `usage` or `validation-failed`
 */
export async function requireArgument<Value>(
  argument: Argument<Value>,
  text: string | undefined,
  { terminal, command }: { terminal: Terminal; command: TillboxCommand },
): Promise<Value> {
  if (text !== undefined) return readArgument(argument, text);
  if (!terminal.mayAsk) throw command.usageError(`${argument.name} is missing.`);
  const { ask } = await import('./terminal/ask.ts');
  return readArgument(argument, await ask(argument, { colour: terminal.paint !== plainPaint }));
}
