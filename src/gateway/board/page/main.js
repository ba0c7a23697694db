import { byId } from './dom.js';
import { showFigures, showGap } from './figures.js';
import { timeText } from './format.js';
import { showOrders } from './orders.js';
import { listen } from './stream.js';

/** The page: who may watch, when it watches, and what it says about that. */

/** The token lives as long as the tab, and is sent to this gateway alone. */
const tokenKey = 'tillbox-token';
/** A connection that is back so soon was not worth a word. */
const unspokenMs = 1_500;

const board = byId('board');
const orders = byId('orders');
const status = byId('status');
const signIn = byId('sign-in');
const pauseButton = byId('pause');
const signOut = byId('sign-out');
const field = /** @type {HTMLInputElement} */ (byId('token'));

const identityRequired = document.body.dataset['identity'] === 'required';

let listening = new AbortController();
let paused = false;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let complaint;
/** @type {string | undefined} */
let heardAt;

/**
 * Says how it stands with the connection; not again what is said already.
 * @param {'live' | 'waiting' | 'paused' | 'signed-out'} state
 * @param {string} text
 */
function say(state, text) {
  document.body.dataset['state'] = state;
  if (status.textContent !== text) status.textContent = text;
}

function start() {
  listening.abort();
  listening = new AbortController();
  if (paused || document.hidden) return;
  void listen(
    {
      token: () => sessionStorage.getItem(tokenKey),
      board: (document) => {
        clearTimeout(complaint);
        complaint = undefined;
        heardAt = document.at;
        board.hidden = false;
        signIn.hidden = true;
        signOut.hidden = sessionStorage.getItem(tokenKey) === null;
        pauseButton.hidden = false;
        say('live', 'Live');
        showFigures(document);
        if (document.orders !== null) showOrders(orders, document.orders, Date.parse(document.at));
        byId('no-orders').hidden = orders.children.length > 0;
      },
      lost: (detail) => {
        showGap();
        const since = heardAt === undefined ? '' : ` What is shown is of ${timeText(heardAt)}.`;
        complaint ??= setTimeout(() => say('waiting', `${detail} Trying again.${since}`), unspokenMs);
      },
      refused: ({ status: code, detail }) => {
        if (!identityRequired && sessionStorage.getItem(tokenKey) !== null) {
          // A token of yesterday, where none is needed.
          sessionStorage.removeItem(tokenKey);
          start();
        } else askForToken(code === 403 ? scopeText : detail);
      },
    },
    listening.signal,
  );
}

const scopeText = 'This token is a user’s. The board needs the token of an operator.';

/** @param {string} why shown as an error when a token was there */
function askForToken(why) {
  const had = sessionStorage.getItem(tokenKey) !== null;
  sessionStorage.removeItem(tokenKey);
  board.hidden = true;
  signOut.hidden = true;
  pauseButton.hidden = true;
  signIn.hidden = false;
  byId('token-error').textContent = had ? why : '';
  field.setAttribute('aria-invalid', String(had));
  say('signed-out', 'Not signed in');
  if (had) field.focus();
}

byId('sign-in-form').addEventListener('submit', (event) => {
  event.preventDefault();
  const token = field.value.trim().replace(/^bearer\s+/i, '');
  if (token === '') return;
  sessionStorage.setItem(tokenKey, token);
  field.value = '';
  start();
});

signOut.addEventListener('click', () => {
  listening.abort();
  sessionStorage.removeItem(tokenKey);
  askForToken('');
  field.focus();
});

pauseButton.addEventListener('click', () => {
  paused = !paused;
  pauseButton.textContent = paused ? 'Resume' : 'Pause';
  if (paused) say('paused', `Paused at ${timeText(new Date().toISOString())}`);
  else say('waiting', 'Connecting');
  start();
});

// Nobody looks: nothing is asked.
document.addEventListener('visibilitychange', () => {
  if (document.hidden) showGap();
  start();
});

if (identityRequired && sessionStorage.getItem(tokenKey) === null) {
  askForToken('');
} else start();
