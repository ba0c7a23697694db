/** A stream that is a terminal. */
interface Screen {
  columns?: number;
  write(text: string): unknown;
}

/** A line of a terminal that is written again and again, until it ends and stays. */
export class LiveLine {
  readonly #screen: Screen;
  #text = '';
  readonly #onInterrupt = () => this.end();

  constructor(screen: Screen) {
    this.#screen = screen;
    // Before whoever ends the process upon it: what they say stands on a line of its own.
    process.prependListener('SIGINT', this.#onInterrupt);
  }

  /** Columns a text may take without being wrapped. */
  get columns(): number {
    return Math.max(1, (this.#screen.columns ?? 80) - 1);
  }

  /** Shows this text, which is no wider than `columns`, in place of the one before. */
  draw(text: string): void {
    if (text === this.#text) return;
    this.#text = text;
    this.#screen.write(`\r\u001b[2K${text}`);
  }

  /** Lets something write lines of its own where this one is, which goes on below them. */
  above(write: () => void): void {
    const text = this.#text;
    this.draw('');
    write();
    this.draw(text);
  }

  /** Leaves the line as it is. May be called twice. */
  end(): void {
    process.off('SIGINT', this.#onInterrupt);
    if (this.#text !== '') this.#screen.write('\n');
    this.#text = '';
  }
}
