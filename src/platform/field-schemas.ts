import { amountRule } from './money.ts';

/**
 * JSON Schemas of the fields that several documents share: request bodies, answers, messages. The
 * description of each is its rule as a sentence; a refusal quotes it behind the field's name.
 */

/** A user's id. */
export const userIdSchema = {
  type: 'string',
  pattern: '^[A-Za-z0-9._@:-]{1,64}$',
  description: 'must be 1 to 64 characters of A-Z a-z 0-9 . _ @ : -',
  examples: ['alice'],
} as const;

/** A sum as answers carry it, a balance or what changed it: always two decimals, and negative where money left. */
export const decimalSchema = {
  type: 'string',
  pattern: '^-?\\d{1,17}\\.\\d{2}$',
  description: 'must be a decimal string with two decimals',
  examples: ['49.90'],
} as const;

/**
 * The amount of an order or a top-up as messages and answers carry it: always two decimals, 0.01 to 1000000000.00.
 * The pattern is the whole rule, without look-ahead, which not every validator knows.
 */
export const positiveDecimalSchema = {
  type: 'string',
  pattern: '^(0\\.(0[1-9]|[1-9]\\d)|[1-9]\\d{0,8}\\.\\d{2}|1000000000\\.00)$',
  description: 'must be a decimal string with two decimals from 0.01 to 1000000000.00',
  examples: ['49.90'],
} as const;

/** An amount as a client may send it. Its format is the exact rule, for validators of ours that know it. */
export const amountSchema = {
  type: ['string', 'number'],
  format: 'amount',
  pattern: '^(0|[1-9]\\d{0,9})(\\.\\d{1,2})?$',
  minimum: 0.01,
  maximum: 1_000_000_000,
  description: amountRule,
  examples: ['49.90'],
} as const;

/** A UUID in its usual lower- or upper-case form. */
export const uuidSchema = {
  type: 'string',
  pattern: '^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$',
  description: 'must be a UUID',
  examples: ['0199f0a4-5f6b-7c3e-9d2a-3b1f0c8e7d65'],
} as const;

/** A moment: ISO 8601 in UTC with milliseconds. */
export const timeSchema = {
  type: 'string',
  format: 'date-time',
  description: 'a moment, ISO 8601 in UTC',
  examples: ['2026-01-31T12:00:00.000Z'],
} as const;

const userIdPattern = new RegExp(userIdSchema.pattern);
const uuidPattern = new RegExp(uuidSchema.pattern);

/** Whether the text keeps the rule of a user's id. */
export function isUserId(text: string): boolean {
  return userIdPattern.test(text);
}

/** Whether the text is a UUID. */
export function isUuid(text: string): boolean {
  return uuidPattern.test(text);
}
