import type { Writable } from 'node:stream';
import type { TillboxCommand } from '../command.ts';
import { colouredPaint, type Paint, plainPaint } from './paint.ts';
import { visible, visibleJson } from './terminal-text.ts';

/** Where a command prints, and what it may do there. */
export interface Terminal {
  /** Whether results are JSON. */
  readonly json: boolean;
  /** Whether a missing argument may be asked for: a person is there, and nothing forbids it. */
  readonly mayAsk: boolean;
  /** Whether a line on stderr may move: a person looks at a terminal. */
  readonly isLive: boolean;
  /** Columns of a terminal; undefined when stdout is none. */
  readonly columns: number | undefined;
  /** Colours for stdout; without a terminal, or when colour is unwanted, they change nothing. */
  readonly paint: Paint;
  /** Aborts when nobody reads stdout any more. */
  readonly closed: AbortSignal;
  /** Prints a result on stdout: with --json the document, for people the text. */
  result(document: unknown, text: () => string): void;
  /** Prints a result like `result`; a text that is longer than the screen of a person goes into their pager. */
  list(document: unknown, text: () => string): Promise<void>;
  /** Prints one document of a stream on stdout: with --json as one line of NDJSON, for people the text. */
  streamed(document: unknown, text: () => string): void;
  /** Empties the screen of a terminal, for what is printed again and again. */
  clear(): void;
  /** Tells a person something that is no result, on stderr. */
  note(text: string): void;
  /** Suggests to a person at a terminal what to type next; undefined for nothing. */
  hint(text: string | undefined): void;
  /** Tells a person how to go on with a list that has more. */
  noteMore(cursor: string | null): void;
}

/** Opens the terminal for a command, as its options and the environment want it. */
export async function openTerminal(command: TillboxCommand): Promise<Terminal> {
  const { stdin, stdout, stderr } = process;
  const { json, input, color, hints } = command.sharedOptions();
  const isTerminal = stdout.isTTY === true;
  const colourful =
    isTerminal && color && !json && !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb';
  const isPaged = isTerminal && input && command.opts<{ pager?: boolean }>().pager !== false;
  const closed = closedSignalOf(stdout);
  const note = (text: string) => void stderr.write(`${text}\n`);
  const print = (text: string) => {
    if (!closed.aborted && text !== '') stdout.write(`${text}\n`);
  };
  return {
    json,
    mayAsk: isTerminal && stdin.isTTY === true && input && !json,
    isLive: isTerminal && stderr.isTTY === true && !json && process.env['TERM'] !== 'dumb',
    get columns() {
      return isTerminal ? stdout.columns : undefined;
    },
    paint: colourful ? await colouredPaint() : plainPaint,
    closed,
    result: (document, text) => print(json ? visibleJson(document, isTerminal ? 2 : undefined) : text()),
    list: async (document, text) => {
      if (json || !isPaged) return print(json ? visibleJson(document, isTerminal ? 2 : undefined) : text());
      const { isLongerThan, showInPager } = await import('./pager.ts');
      const shown = text();
      if (!isLongerThan(stdout, shown) || !(await showInPager(shown))) print(shown);
    },
    streamed: (document, text) => print(json ? visibleJson(document) : text()),
    clear: () => void stdout.write('\u001b[H\u001b[2J'),
    note,
    hint: (text) => {
      if (text !== undefined && hints && isTerminal && stderr.isTTY && !json) note(text);
    },
    noteMore: (cursor) => {
      // In JSON the document says it.
      if (cursor !== null && !json) note(`There is more: --cursor ${visible(cursor)}`);
    },
  };
}

const closedSignals = new WeakMap<Writable, AbortSignal>();

/** Aborts when nobody reads the stream any more. One for a stream, however many commands run in a session. */
function closedSignalOf(stream: Writable): AbortSignal {
  const known = closedSignals.get(stream);
  if (known !== undefined) return known;
  const closed = new AbortController();
  stream.on('error', () => closed.abort());
  closedSignals.set(stream, closed.signal);
  return closed.signal;
}

/** A reader that goes away (`| head`) is no error: the command goes on and ends as it would have ended. */
export function ignoreClosedPipe(stream: Writable): void {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}
