/** What is done to the document: text alone, never markup. */

/**
 * Sets the text of the first element found, unless it is that already.
 * @param {ParentNode} within
 * @param {string} selector
 * @param {string} text
 */
export function write(within, selector, text) {
  const found = within.querySelector(selector);
  if (found !== null && found.textContent !== text) found.textContent = text;
}

/**
 * A new element.
 * @param {string} name
 * @param {string} className
 * @param {string} [text]
 */
export function element(name, className, text = '') {
  const made = document.createElement(name);
  if (className !== '') made.className = className;
  made.textContent = text;
  return made;
}

/**
 * The element with this id, which is there.
 * @param {string} id
 */
export function byId(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}
