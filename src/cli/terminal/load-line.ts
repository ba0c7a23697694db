import type { LiveFigures } from '../../tools/load/live-view.ts';
import type { LoadEvents } from '../../tools/load/load.ts';
import type { Terminal } from './terminal.ts';
import { visible } from './terminal-text.ts';

interface Stream {
  isTTY?: boolean;
  columns?: number;
  write(text: string): unknown;
}

/** How a load run stands, on stderr: one line that moves on a terminal, and nothing but notices elsewhere. */
export class LoadLine implements LoadEvents {
  readonly #terminal: Pick<Terminal, 'note'>;
  readonly #stream: Stream;
  #phase = '';
  #shown = '';

  constructor(terminal: Pick<Terminal, 'note'>, stream: Stream = process.stderr) {
    this.#terminal = terminal;
    this.#stream = stream;
  }

  phase(what: string): void {
    this.#phase = what;
    this.#show(what);
  }

  notice(text: string): void {
    this.#clear();
    this.#terminal.note(visible(text));
  }

  progress(figures: LiveFigures): void {
    if (figures.kind === 'users')
      this.#show(`${this.#phase}: ${Math.floor((figures.done / figures.all) * 100)}%`);
    else if (figures.kind === 'drain') this.#show(`${this.#phase}: ${figures.waiting} wait`);
    else this.#show(ordersLine(figures));
  }

  /** Leaves a clean line. */
  end(): void {
    this.#clear();
  }

  #show(text: string): void {
    if (!this.#stream.isTTY) return;
    // Some terminals say that they have no columns.
    const line = text.slice(0, (this.#stream.columns || 80) - 1);
    if (line !== this.#shown) this.#stream.write(`\r\x1b[K${line}`);
    this.#shown = line;
  }

  #clear(): void {
    if (this.#stream.isTTY) this.#stream.write('\r\x1b[K');
    this.#shown = '';
  }
}

function ordersLine(figures: Extract<LiveFigures, { kind: 'orders' }>): string {
  const { accepted, errors, planned, waiting } = figures;
  const ms = (value: number | null) => (value === null ? '-' : value.toFixed(value < 10 ? 1 : 0));
  const progress = planned === undefined ? '' : `${Math.floor(((accepted + errors) / planned) * 100)}%  `;
  return [
    `${figures.seconds.toFixed(0)} s  ${progress}${accepted} accepted`,
    `${Math.round(figures.acceptedPerSecond)}/s`,
    `accept ${ms(figures.acceptP50)}/${ms(figures.acceptP99)} ms`,
    `settle ${ms(figures.settleP50)} ms`,
    ...(waiting === null ? [] : [`${waiting} wait`]),
    ...(errors > 0 ? [`${errors} errors`] : []),
  ].join('  ');
}
