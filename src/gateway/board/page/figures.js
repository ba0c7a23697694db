import { areaPath, ceilingOf, historyMax, linePath, secondsShown } from './chart.js';
import { element, write } from './dom.js';
import { countText, durationText, rateText, timeText, unknown } from './format.js';

/** The figures of the board: rates, depths, ages, and what cannot be seen. */

/** Places between the steps; dead letters stand apart. */
const placeKinds = ['outbox', 'queue', 'inbox'];
/** A bar is full at so many messages, by the logarithm. */
const fullBar = 10_000;

/** @type {Record<string, import('./chart.js').History>} By step number. */
const histories = { 1: [], 2: [], 3: [], 4: [], 5: [], 6: [] };

/** @param {any} board what the gateway says */
export function showFigures(board) {
  const rate = (/** @type {number} */ number) =>
    board.steps.find((/** @type {any} */ step) => step.number === number)?.per_s ?? null;
  for (const step of board.steps) {
    const history = histories[step.number] ?? [];
    history.push(step.per_s);
    if (history.length > historyMax) history.shift();
    showStep(step, history, blindTo(board, step.service));
  }
  const waiting = board.queues.filter((/** @type {any} */ queue) => placeKinds.includes(queue.kind));
  for (const place of document.querySelectorAll('.place')) {
    const name = /** @type {HTMLElement} */ (place).dataset['name'];
    showPlace(
      place,
      board.queues.find((/** @type {any} */ queue) => queue.name === name),
    );
  }
  write(document, '#created', rateText(rate(1)));
  write(document, '#settled', rateText(rate(6)));
  write(document, '#waiting', waiting.length < 5 ? unknown : sumText(waiting));
  const oldest = Math.max(0, ...waiting.map((/** @type {any} */ queue) => queue.oldest_s ?? 0));
  write(document, '#oldest', oldest > 0 ? ageText(oldest) : '');
  const times = board.settle_ms;
  write(document, '#median', durationText(times?.p50));
  write(document, '#p95', times?.p95 == null ? '' : `95 % within ${durationText(times.p95)}`);
  const letters = board.queues.filter((/** @type {any} */ queue) => queue.kind === 'dead-letters');
  write(document, '#letters', letters.length < 2 ? unknown : sumText(letters));
  const some = letters.some((/** @type {any} */ queue) => queue.depth > 0);
  document.querySelector('#letters')?.classList.toggle('bad', some);
  write(document, '#letters-note', some ? 'tillbox dead-letters list' : '');
  for (const service of ['orders', 'payments']) showInstances(service, board.instances[service]);
  showChart();
  showBlind(board.blind);
}

/** A gap in the lines: nothing was heard. */
export function showGap() {
  for (const history of Object.values(histories)) history.push(null);
}

/**
 * @param {any} step
 * @param {import('./chart.js').History} history
 * @param {any} blind
 */
function showStep(step, history, blind) {
  const card = document.querySelector(`#step-${step.number}`);
  if (card === null) return;
  write(card, '.rate b', rateText(step.per_s));
  card.querySelector('path')?.setAttribute('d', linePath(history, ceilingOf(history)));
  card.classList.toggle('blind', blind !== undefined);
  write(card, '.note', blind === undefined ? '' : `not seen since ${timeText(blind.since)}`);
}

/**
 * @param {Element} place
 * @param {any} queue undefined when it cannot be seen
 */
function showPlace(place, queue) {
  const depth = queue?.depth ?? 0;
  place.classList.toggle('blind', queue === undefined);
  place.classList.toggle('filled', depth > 0);
  write(place, '.depth', queue === undefined ? unknown : countText(depth, queue.estimated));
  const oldest = depth > 0 ? ageText(queue.oldest_s) : 'empty';
  const flight =
    queue?.in_flight > 0 && depth === 0 ? `${countText(queue.in_flight, false)} in flight` : oldest;
  write(place, '.age', queue === undefined ? 'not seen' : flight);
  const share = Math.min(1, Math.log10(depth + 1) / Math.log10(fullBar));
  place.querySelector('rect')?.setAttribute('width', String(Math.round(share * 100)));
}

/**
 * @param {string} service
 * @param {{ answering: number, of: number } | undefined} instances
 */
function showInstances(service, instances) {
  const some = instances !== undefined && (instances.of > 1 || instances.answering < instances.of);
  write(document, `#${service}-instances`, some ? `${instances.answering} of ${instances.of} answer` : '');
}

function showChart() {
  const created = histories[1] ?? [];
  const settled = histories[6] ?? [];
  const ceiling = ceilingOf(created, settled);
  document.querySelector('#chart .created')?.setAttribute('d', areaPath(created, ceiling));
  document.querySelector('#chart .settled')?.setAttribute('d', linePath(settled, ceiling));
  write(document, '#ceiling', `${rateText(ceiling)}/s`);
  write(document, '#chart-begin', `${durationText(secondsShown(created) * 1_000)} ago`);
}

/** @param {any[]} blind */
function showBlind(blind) {
  const list = document.querySelector('#blind');
  if (list === null) return;
  const texts = blind.map(({ detail, since }) => `${detail} Not seen since ${timeText(since)}.`);
  // Said again only when it is news: it is a live region.
  if (list.textContent === texts.join('')) return;
  list.replaceChildren(...texts.map((text) => element('p', '', text)));
}

/**
 * @param {any} board
 * @param {string} service
 */
function blindTo(board, service) {
  return board.blind.find((/** @type {any} */ spot) => spot.what === service);
}

/** @param {any[]} queues */
function sumText(queues) {
  const sum = queues.reduce((total, { depth }) => total + depth, 0);
  return countText(
    sum,
    queues.some(({ estimated }) => estimated),
  );
}

/**
 * How old the oldest message is; none of a tenth of a second is worth a word.
 * @param {number | null} seconds
 */
function ageText(seconds) {
  return seconds === null || seconds < 0.1 ? 'just come' : `oldest ${durationText(seconds * 1_000)}`;
}
