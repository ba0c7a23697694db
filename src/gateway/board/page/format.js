/** Figures as people read them. */

const whole = new Intl.NumberFormat('en');

/** What stands for a figure that is not known. */
export const unknown = '–';

/**
 * A rate: one decimal below ten a second, whole above.
 * @param {number | null | undefined} perSecond
 */
export function rateText(perSecond) {
  if (perSecond === null || perSecond === undefined) return unknown;
  return perSecond > 0 && perSecond < 9.95 ? perSecond.toFixed(1) : whole.format(Math.round(perSecond));
}

/**
 * A number of messages, marked when it is an estimate.
 * @param {number} count
 * @param {boolean} estimated
 */
export function countText(count, estimated) {
  return `${estimated ? '≈ ' : ''}${whole.format(count)}`;
}

/**
 * A length of time, in the unit that fits.
 * @param {number | null | undefined} ms
 */
export function durationText(ms) {
  if (ms === null || ms === undefined) return unknown;
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${(ms / 1_000).toFixed(1)} s`;
  if (ms < 120_000) return `${Math.round(ms / 1_000)} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  return ms < 172_800_000 ? `${Math.round(ms / 3_600_000)} h` : `${Math.round(ms / 86_400_000)} days`;
}

/**
 * A length of time in whole seconds, or more.
 * @param {number} ms
 */
export function agoText(ms) {
  return ms < 120_000 ? `${Math.max(0, Math.floor(ms / 1_000))} s` : durationText(ms);
}

/**
 * A time of day, as the browser's own clock has it.
 * @param {string} moment ISO 8601
 */
export function timeText(moment) {
  return new Date(moment).toLocaleTimeString('en-GB');
}
