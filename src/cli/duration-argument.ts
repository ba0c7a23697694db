import type { Argument } from './arguments.ts';

const secondsOf = { '': 1, s: 1, m: 60, h: 3_600, d: 86_400 } as const;
const daysMax = 365;

/** A time such as 90s, 15m, 8h or 30d, read into seconds; a bare number is seconds. */
export const durationArgument: Argument<number> = {
  name: '--expires',
  field: 'expires',
  question: 'How long',
  rule: `must be a time such as 90s, 15m, 8h or 30d, at most ${daysMax}d`,
  read: (text) => {
    const [, count, unit] = /^([1-9]\d{0,8})([smhd]?)$/.exec(text) ?? [];
    const seconds = Number(count) * secondsOf[unit as keyof typeof secondsOf];
    return seconds <= daysMax * secondsOf.d ? seconds : undefined;
  },
};
