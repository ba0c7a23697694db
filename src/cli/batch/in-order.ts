import type { Writable } from 'node:stream';

/**
 * Works on items many at a time and writes the results as lines in the order of the items. At most `inFlight`
 * items are under way or wait to be written: a slow item, and an output that nobody reads on, hold the input
 * back. Ends early when `stopped` aborts: no further item is taken, those under way are waited for.
 */
export async function workInOrder<Item>(
  items: AsyncIterable<Item>,
  options: {
    inFlight: number;
    work: (item: Item) => Promise<string>;
    output: Writable;
    stopped: AbortSignal;
  },
): Promise<void> {
  const { inFlight, work, output, stopped } = options;
  const slots: { result?: string }[] = [];
  let failure: { error: unknown } | undefined;
  let isFull = false;
  let wake = () => {};
  let isScheduled = false;
  const flush = () => {
    isScheduled = false;
    let text = '';
    while (slots[0]?.result !== undefined) text += `${slots.shift()?.result}\n`;
    if (text !== '' && !stopped.aborted) isFull = !output.write(text);
    wake();
  };
  const onDrain = () => {
    isFull = false;
    wake();
  };
  const change = () =>
    new Promise<void>((resolve) => {
      wake = resolve;
    });
  const mayGoOn = () => stopped.aborted || (slots.length < inFlight && !isFull);
  const onStop = () => wake();
  output.on('drain', onDrain);
  stopped.addEventListener('abort', onStop);
  try {
    for await (const item of items) {
      if (stopped.aborted) break;
      const slot: { result?: string } = {};
      slots.push(slot);
      work(item)
        .then((result) => {
          slot.result = result;
        })
        .catch((error) => {
          failure ??= { error };
          slot.result = '';
        })
        .then(() => {
          // Results that are there at the same time are written together.
          if (!isScheduled) setImmediate(flush);
          isScheduled = true;
        });
      while (!mayGoOn()) await change();
      if (failure !== undefined) throw failure.error;
    }
    while (slots.length > 0) await change();
    if (failure !== undefined) throw failure.error;
  } finally {
    output.off('drain', onDrain);
    stopped.removeEventListener('abort', onStop);
  }
}
