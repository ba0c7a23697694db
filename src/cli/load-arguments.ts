import { amountMax, amountMin, amountRule, parseAmount } from '../platform/money.ts';
import { metricNames, parseThreshold, type Threshold } from '../tools/load/thresholds.ts';
import type { Argument } from './arguments.ts';

/** The options of `tillbox load`, each with its rule. */

const durationMsMax = 24 * 3_600_000;
const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;

export const durationArgument: Argument<number> = {
  name: '--duration',
  field: 'duration',
  question: 'Duration',
  rule: 'must be a time from 100ms to 24h, such as 30s or 10m',
  read: (text) => {
    const [, number, unit = 's'] = /^(\d{1,8})(ms|s|m|h)?$/.exec(text) ?? [];
    const ms = Number(number) * unitMs[unit as keyof typeof unitMs];
    return ms >= 100 && ms <= durationMsMax ? ms : undefined;
  },
};

/** A whole number between two limits. */
function countArgument(field: string, min: number, max: number, noun: string): Argument<number> {
  return {
    name: `--${field}`,
    field,
    question: field,
    rule: `must be a whole number of ${noun} from ${min} to ${max}`,
    read: (text) => {
      const number = /^\d{1,10}$/.test(text) ? Number(text) : -1;
      return number >= min && number <= max ? number : undefined;
    },
  };
}

export const ordersArgument = countArgument('orders', 1, 1_000_000_000, 'orders');
export const clientsArgument = countArgument('clients', 1, 1_000, 'requests under way at once');
export const usersArgument = countArgument('users', 1, 100_000, 'accounts');
export const drainArgument = countArgument('drain', 0, 86_400, 'seconds');
export const seedArgument: Argument<number> = {
  ...countArgument('seed', 0, 2 ** 32 - 1, ''),
  rule: `must be a whole number from 0 to ${2 ** 32 - 1}`,
};

export const rateArgument: Argument<number> = {
  name: '--rate',
  field: 'rate',
  question: 'Orders a second',
  rule: 'must be a number of orders a second from 0.1 to 100000',
  read: (text) => {
    const number = /^\d{1,6}(\.\d{1,3})?$/.test(text) ? Number(text) : 0;
    return number >= 0.1 && number <= 100_000 ? number : undefined;
  },
};

/** A share of the orders, as 0.2 or 20%. */
function shareArgument(field: string): Argument<number> {
  return {
    name: `--${field}`,
    field,
    question: field,
    rule: 'must be a share from 0 to 1, or from 0% to 100%, such as 0.2 or 20%',
    read: (text) => {
      const [, number, percent] = /^(\d{1,3}(?:\.\d{1,6})?)(%)?$/.exec(text) ?? [];
      const share = Number(number) / (percent === undefined ? 1 : 100);
      return share >= 0 && share <= 1 ? share : undefined;
    },
  };
}

export const hotArgument = shareArgument('hot');
export const overdraftArgument = shareArgument('overdraft');

/** One amount, or a range such as 1..50, both ends included, in minor units. */
export const amountsArgument: Argument<{ min: bigint; max: bigint }> = {
  name: '--amount',
  field: 'amount',
  question: 'Amount',
  rule: `${amountRule}, or a range of two such as 1..50`,
  read: (text) => {
    const [from = '', to = from, ...more] = text.split('..');
    const [min, max] = [parseAmount(from), parseAmount(to)];
    if (min === undefined || max === undefined || more.length > 0) return undefined;
    return min <= max && min >= amountMin && max <= amountMax ? { min, max } : undefined;
  },
};

export const thresholdArgument: Argument<Threshold> = {
  name: '--threshold',
  field: 'threshold',
  question: 'Threshold',
  rule: `must be a figure, one of < <= > >= ==, and a limit, such as settle.p99<50ms, accepted_per_s>=1000 or errors<1%; the figures are ${metricNames.join(', ')}`,
  read: parseThreshold,
};
