/** Money is a whole number of minor units (1/100) in code and database, a decimal string everywhere else. */

/** The smallest amount of an order or a top-up: 0.01. */
export const amountMin = 1n;
/** The largest amount of an order or a top-up: 1,000,000,000.00. */
export const amountMax = 100_000_000_000n;
/** What an account can hold: the largest Postgres bigint, about 92 quadrillion. */
export const balanceMax = 9_223_372_036_854_775_807n;

/** The rule an amount must keep, as a sentence for people. */
export const amountRule =
  'must be a decimal number from 0.01 to 1000000000.00 with at most two decimals, such as "49.90"';

const decimalPattern = /^(0|[1-9]\d{0,9})(?:\.(\d{1,2}))?$/;

/**
 * Reads an amount such as `49.9` or `49.90` into minor units.
 * @returns undefined when it is not a decimal with at most two decimals from 0.01 to 1,000,000,000.00.
 */
export function parseAmount(text: string): bigint | undefined {
  const match = decimalPattern.exec(text);
  if (match === null) return undefined;
  const [, whole = '0', fraction = ''] = match;
  const amount = BigInt(whole) * 100n + BigInt(fraction.padEnd(2, '0'));
  return amount >= amountMin && amount <= amountMax ? amount : undefined;
}

/** Minor units as a decimal string with two decimals: `4990n` is `"49.90"`, `-5n` is `"-0.05"`. */
export function formatAmount(minorUnits: bigint): string {
  const sign = minorUnits < 0n ? '-' : '';
  const digits = (minorUnits < 0n ? -minorUnits : minorUnits).toString().padStart(3, '0');
  return `${sign}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}
