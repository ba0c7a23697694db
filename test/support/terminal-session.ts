import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type IPty, spawn } from '@lydell/node-pty';
import { Terminal } from '@xterm/headless';
import { eventually } from './eventually.ts';

const executable = fileURLToPath(new URL('../../dist/bin/tillbox.js', import.meta.url));

/** What keys send. Letters and the like are typed. */
const keys = {
  enter: '\r',
  up: '\u001b[A',
  down: '\u001b[B',
  right: '\u001b[C',
  left: '\u001b[D',
  'page-up': '\u001b[5~',
  'page-down': '\u001b[6~',
  escape: '\u001b',
  tab: '\t',
  backspace: '\u007f',
  'ctrl-c': '\u0003',
  'ctrl-d': '\u0004',
  'ctrl-u': '\u0015',
  'ctrl-z': '\u001a',
} as const;
export type Key = keyof typeof keys;

/** Compares the terminal's settings before and after the command, and ends as the command ends. */
const script = `
  trap : INT
  file=$1; shift
  stty -g > "$file.before"
  "$@"; code=$?
  stty -g > "$file.after"
  exit $code`;

export interface TerminalOptions {
  /** 80 by 24 when absent. */
  columns?: number;
  rows?: number;
  /** All the environment there is, besides PATH, TERM and a UTF-8 locale. */
  env?: Record<string, string>;
  cwd?: string;
}

/** How a command on a terminal ended. */
export interface SessionEnd {
  code: number;
  /** Whether the terminal was left as it was found: settings, cursor, screen, mouse. */
  restored: boolean;
}

/**
 * A command on a pseudo-terminal: a test types keys and reads the screen, as a person does. Wait for what
 * is to be answered (`shows`) before typing: a prompt drops what was typed before it was there.
 */
export class TerminalSession {
  readonly #pty: IPty;
  readonly #screen: Terminal;
  readonly #folder = mkdtempSync(join(tmpdir(), 'tillbox-terminal-'));
  /** Everything that was printed, escape codes among it. */
  raw = '';
  readonly ended: Promise<SessionEnd>;

  /** Starts a program. */
  constructor(command: readonly string[], options: TerminalOptions = {}) {
    const { columns = 80, rows = 24, env = {}, cwd = process.cwd() } = options;
    const file = join(this.#folder, 'settings');
    this.#screen = new Terminal({ cols: columns, rows, scrollback: 10_000, allowProposedApi: true });
    this.#pty = spawn('sh', ['-c', script, 'sh', file, ...command], {
      name: 'xterm-256color',
      cols: columns,
      rows,
      cwd,
      env: { PATH: process.env['PATH'], HOME: '/nonexistent', LANG: 'C.UTF-8', ...env },
    });
    this.#pty.onData((text) => {
      this.raw += text;
      this.#screen.write(text);
    });
    // What an emulator answers to questions about the cursor and itself.
    this.#screen.onData((text) => this.#pty.write(text));
    this.ended = new Promise((resolve) => {
      this.#pty.onExit(({ exitCode }) => {
        this.#screen.write('', () => resolve({ code: exitCode, restored: this.#isRestored(file) }));
      });
    });
  }

  /** Starts tillbox as it was built. */
  static tillbox(words: readonly string[], options: TerminalOptions = {}): TerminalSession {
    return new TerminalSession([process.execPath, executable, ...words], options);
  }

  type(text: string): void {
    this.#pty.write(text);
  }

  press(...names: Key[]): void {
    for (const name of names) this.#pty.write(keys[name]);
  }

  resize(columns: number, rows: number): void {
    this.#screen.resize(columns, rows);
    this.#pty.resize(columns, rows);
  }

  /** The lines of the screen as they are now, without the blanks at their ends. */
  get screen(): string[] {
    const { baseY } = this.#screen.buffer.active;
    return this.#lines(baseY, baseY + this.#screen.rows);
  }

  /** All lines, those that left the screen at its top among them, up to the last that is not empty. */
  get text(): string {
    return this.#lines(0, this.#screen.buffer.active.length).join('\n').trimEnd();
  }

  /** Resolves once the screen has this on it. */
  async shows(what: string | RegExp, options: { withinMs?: number } = {}): Promise<void> {
    await this.#untilTrue(() => includes(this.screen.join('\n'), what), `does not show ${what}`, options);
  }

  /** Resolves once this is gone from the screen. */
  async hides(what: string | RegExp, options: { withinMs?: number } = {}): Promise<void> {
    await this.#untilTrue(() => !includes(this.screen.join('\n'), what), `still shows ${what}`, options);
  }

  /** Ends whatever still runs on it, for the end of a test. May be called twice. */
  async close(): Promise<void> {
    try {
      process.kill(-this.#pty.pid, 'SIGKILL');
    } catch {
      // It ended by itself.
    }
    await this.ended;
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #untilTrue(holds: () => boolean, failure: string, options: { withinMs?: number }): Promise<void> {
    return eventually(() => {
      if (!holds()) throw new Error(`the screen ${failure}:\n${this.screen.join('\n')}`);
    }, options);
  }

  #lines(from: number, to: number): string[] {
    const { active } = this.#screen.buffer;
    return Array.from(
      { length: to - from },
      (_, index) => active.getLine(from + index)?.translateToString(true) ?? '',
    );
  }

  #isRestored(file: string): boolean {
    const settings = (when: string) => readFileSync(`${file}.${when}`, 'utf8');
    const { modes, buffer } = this.#screen;
    // The emulator keeps no account of the cursor.
    const isCursorShown = this.raw.lastIndexOf('\u001b[?25l') <= this.raw.lastIndexOf('\u001b[?25h');
    try {
      return (
        settings('before') === settings('after') &&
        isCursorShown &&
        buffer.active.type === 'normal' &&
        modes.mouseTrackingMode === 'none' &&
        !modes.bracketedPasteMode &&
        !modes.applicationCursorKeysMode
      );
    } catch {
      return false;
    }
  }
}

function includes(text: string, what: string | RegExp): boolean {
  return typeof what === 'string' ? text.includes(what) : what.test(text);
}
