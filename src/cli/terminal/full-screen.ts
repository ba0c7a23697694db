import { writeSync } from 'node:fs';

const enter = '\u001b[?1049h\u001b[?25l\u001b[2J';
const leave = '\u001b[?25h\u001b[?1049l';
/** Signals that end a process unless it listens. */
const endings = ['SIGTERM', 'SIGHUP'] as const;

/**
 * The whole terminal, for a program that draws on it: the alternate screen without a cursor, keys as they
 * are typed. What was there before comes back however the program ends, short of `kill -9`.
 */
export class FullScreen {
  readonly #keys: (key: string) => void;
  readonly #resized: () => void;
  readonly #onKey = (bytes: Buffer) => this.#keys(bytes.toString('utf8'));
  readonly #onResize = () => this.#resized();
  readonly #onExit = () => this.close();
  readonly #onSignal = (signal: NodeJS.Signals) => {
    this.close();
    process.kill(process.pid, signal);
  };
  #isOpen = false;

  /** @param options.keys is given what was typed @param options.resized is called after a change of size */
  constructor(options: { keys: (key: string) => void; resized: () => void }) {
    this.#keys = options.keys;
    this.#resized = options.resized;
  }

  /** Takes the terminal over. */
  open(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    process.on('exit', this.#onExit);
    // Before the message of an exception is printed, which would vanish with the screen.
    process.on('uncaughtExceptionMonitor', this.#onExit);
    for (const signal of endings) process.on(signal, this.#onSignal);
    const { stdin, stdout } = process;
    stdout.write(enter);
    stdout.on('resize', this.#onResize);
    if (stdin.isTTY) {
      stdin.setRawMode(true);
      stdin.on('data', this.#onKey);
      stdin.resume();
    }
  }

  get columns(): number {
    return process.stdout.columns || 80;
  }

  get rows(): number {
    return process.stdout.rows || 24;
  }

  /** Draws lines from the top, and blanks the rest. The caller sees to it that they fit. */
  draw(lines: readonly string[]): void {
    if (!this.#isOpen) return;
    // Overwriting instead of clearing first keeps it from flickering.
    const text = lines.map((line) => `${line}\u001b[K`).join('\r\n');
    process.stdout.write(`\u001b[H${text}\u001b[J`);
  }

  /** Gives the terminal back as it was. May be called twice. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    const { stdin, stdout } = process;
    stdout.off('resize', this.#onResize);
    if (stdin.isTTY) {
      stdin.off('data', this.#onKey);
      stdin.setRawMode(false);
      stdin.pause();
    }
    process.off('exit', this.#onExit);
    process.off('uncaughtExceptionMonitor', this.#onExit);
    for (const signal of endings) process.off(signal, this.#onSignal);
    try {
      // At once: the process may end right after this.
      writeSync(stdout.fd, leave);
    } catch {
      // The terminal itself is gone.
    }
  }
}
