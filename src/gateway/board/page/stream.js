/** The event stream of the board, read with fetch: only so the token travels in a header, never in an URL. */

/** The gateway says something every second. */
const silenceMsMax = 6_000;
const backoffMsMin = 500;
const backoffMsMax = 10_000;

/**
 * @typedef {object} Refusal What the gateway says to who may not watch.
 * @property {number} status
 * @property {string} detail
 */

/**
 * @typedef {object} Listener
 * @property {() => string | null} token
 * @property {(document: any) => void} board told what the gateway says, every second
 * @property {(detail: string) => void} lost told that there is no connection, which is tried again until it is there
 * @property {(refusal: Refusal) => void} refused told that the gateway wants another token: then it is over
 */

/**
 * Listens until it is refused, or until `signal` aborts. What is cut is taken up again, later and later.
 * @param {Listener} listener
 * @param {AbortSignal} signal
 */
export async function listen(listener, signal) {
  for (let failures = 0; !signal.aborted; failures += 1) {
    let detail = 'The gateway does not answer.';
    const attempt = new AbortController();
    let silence = setTimeout(() => attempt.abort(), silenceMsMax);
    try {
      const token = listener.token();
      const headers = token === null ? {} : { authorization: `Bearer ${token}` };
      const ended = AbortSignal.any([signal, attempt.signal]);
      const answer = await fetch('/board/events', { headers, signal: ended, cache: 'no-store' });
      if (answer.status === 401 || answer.status === 403) {
        return listener.refused({ status: answer.status, detail: await detailOf(answer) });
      }
      if (answer.ok && answer.body !== null) {
        for await (const document of eventsIn(answer.body)) {
          clearTimeout(silence);
          silence = setTimeout(() => attempt.abort(), silenceMsMax);
          failures = 0;
          listener.board(document);
        }
      } else detail = await detailOf(answer);
    } catch {
      // Cut, or silent: as good as no answer.
    } finally {
      clearTimeout(silence);
    }
    if (signal.aborted) return;
    listener.lost(detail);
    const ceiling = Math.min(backoffMsMax, backoffMsMin * 2 ** failures);
    await pause(ceiling * (0.5 + Math.random() / 2), signal);
  }
}

/**
 * The data of the events in a stream.
 * @param {ReadableStream<Uint8Array>} body
 */
export async function* eventsIn(body) {
  const reader = body.pipeThrough(/** @type {any} */ (new TextDecoderStream())).getReader();
  let text = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    text += value;
    const events = text.split('\n\n');
    text = events.pop() ?? '';
    for (const event of events) {
      const data = event.split('\n').find((line) => line.startsWith('data: '));
      if (data !== undefined) yield JSON.parse(data.slice('data: '.length));
    }
  }
}

/** @param {Response} answer */
async function detailOf(answer) {
  try {
    return String((await answer.json()).detail);
  } catch {
    return `The gateway answered ${answer.status}.`;
  }
}

/**
 * @param {number} ms
 * @param {AbortSignal} signal
 */
function pause(ms, signal) {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
    signal.addEventListener('abort', resolve, { once: true });
  });
}
