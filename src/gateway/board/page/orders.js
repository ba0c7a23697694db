import { element, write } from './dom.js';
import { agoText, durationText } from './format.js';

/** The rows of recent orders. */

/** What each step did to an order, for who cannot see the dots. */
const reachedTexts = ['', 'created', 'requested', 'received', 'decided', 'answered', 'settled'];

/**
 * Makes the rows those of these orders: rows that stay are changed, not made anew.
 * @param {HTMLElement} list
 * @param {any[]} orders newest first
 * @param {number} now the gateway's time, in milliseconds since 1970
 */
export function showOrders(list, orders, now) {
  const rows = new Map(
    [...list.children].map((row) => [/** @type {HTMLElement} */ (row).dataset['id'], row]),
  );
  for (const [index, order] of orders.entries()) {
    const row = /** @type {HTMLElement} */ (rows.get(order.id) ?? newRow(order));
    rows.delete(order.id);
    updateRow(row, order, now);
    if (list.children[index] !== row) list.insertBefore(row, list.children[index] ?? null);
  }
  for (const row of rows.values()) row.remove();
}

/** @param {any} order */
function newRow(order) {
  const row = element('li', 'order');
  row.dataset['id'] = order.id;
  const who = element('span', 'who');
  const id = element('span', 'id', order.id.slice(-12));
  id.title = order.id;
  const user = element('span', 'user', order.user_id);
  user.title = order.user_id;
  who.append(user, id);
  const way = element('span', 'way');
  const dots = element('span', 'dots');
  dots.setAttribute('aria-hidden', 'true');
  for (let step = 1; step <= 6; step += 1) dots.append(element('i', ''));
  way.append(dots, element('span', 'unseen'));
  row.append(
    who,
    element('span', 'amount', order.amount),
    way,
    element('span', 'state'),
    element('span', 'took'),
  );
  return row;
}

/**
 * @param {HTMLElement} row
 * @param {any} order
 * @param {number} now
 */
function updateRow(row, order, now) {
  row.dataset['status'] = order.status;
  row.querySelectorAll('i').forEach((dot, index) => {
    dot.className = index < order.reached ? 'done' : '';
  });
  write(row, '.way .unseen', `step ${order.reached} of 6: ${reachedTexts[order.reached]}`);
  const reason = order.reason === null ? '' : ` · ${order.reason.toLowerCase().replaceAll('_', ' ')}`;
  write(row, '.state', `${order.status}${reason}`);
  const created = Date.parse(order.created_at);
  const ago = `${agoText(now - created)} ago`;
  const took =
    order.settled_at === null ? 'waiting' : `in ${durationText(Date.parse(order.settled_at) - created)}`;
  write(row, '.took', `${took} · ${ago}`);
}
