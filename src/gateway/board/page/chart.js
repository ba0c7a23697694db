/** The last minutes as lines: what a second brought, the newest at the right end. */

/** Points of a line, one a second. */
export const historyMax = 300;
/** A line of a few points does not fill the whole width. */
const historyMin = 60;
const width = 600;
const height = 100;

/** @typedef {(number | null)[]} History The oldest first; null where nothing was known. */

/**
 * How long ago the left end is, in seconds.
 * @param {History} history
 */
export function secondsShown(history) {
  return Math.max(history.length, historyMin);
}

/**
 * The smallest round number that nothing in these histories exceeds.
 * @param {...History} histories
 */
export function ceilingOf(...histories) {
  const most = Math.max(1, ...histories.flat().map((value) => value ?? 0));
  const magnitude = 10 ** Math.floor(Math.log10(most));
  const step = [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((factor) => factor * magnitude >= most) ?? 10;
  return step * magnitude;
}

/**
 * The path of a line.
 * @param {History} history
 * @param {number} ceiling
 */
export function linePath(history, ceiling) {
  let path = '';
  let drawing = false;
  for (const [index, value] of history.entries()) {
    if (value === null) drawing = false;
    else {
      path += `${drawing ? 'L' : 'M'}${xOf(history, index)} ${yOf(value, ceiling)}`;
      drawing = true;
    }
  }
  return path;
}

/**
 * The path of the area below a line.
 * @param {History} history
 * @param {number} ceiling
 */
export function areaPath(history, ceiling) {
  if (history.length === 0) return '';
  const points = history.map((value, index) => `L${xOf(history, index)} ${yOf(value ?? 0, ceiling)}`);
  return `M${xOf(history, 0)} ${height}${points.join('')}L${width} ${height}Z`;
}

/**
 * @param {History} history
 * @param {number} index
 */
function xOf(history, index) {
  const points = Math.max(history.length, historyMin);
  const place = points - history.length + index;
  return Math.round((place / (points - 1)) * width * 10) / 10;
}

/**
 * @param {number} value
 * @param {number} ceiling
 */
function yOf(value, ceiling) {
  return Math.round((1 - value / ceiling) * height * 10) / 10;
}
