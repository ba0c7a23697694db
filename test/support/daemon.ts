import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { eventually } from './eventually.ts';
import { testSecret } from './tokens.ts';

const executable = fileURLToPath(new URL('../../dist/bin/tillbox.js', import.meta.url));

/** One daemon in a process of its own, as `tillbox serve` runs it, with nobody to start it again. */
export class Daemon {
  readonly #child: ChildProcess;
  readonly #exited: Promise<number | null>;
  /** Its log so far: JSON lines. */
  stderr = '';

  /**
   * Starts it with these variables and nothing of ours from the environment. Gateway and services know each other by
   * `testSecret`.
   */
  constructor(service: 'gateway' | 'orders' | 'payments', variables: Record<string, string>) {
    const { PATH = '', HOME = '' } = process.env;
    this.#child = spawn(process.execPath, [executable, 'serve', service], {
      env: { PATH, HOME, TILLBOX_GATEWAY_SECRET: testSecret, ...variables },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text) => {
      this.stderr += text;
    });
    this.#exited = new Promise((resolve) => this.#child.once('exit', resolve));
  }

  /** The lines of its log with this message. */
  told(message: string): Record<string, unknown>[] {
    const lines = this.stderr.split('\n').filter((line) => line.startsWith('{'));
    return lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === message);
  }

  /** Waits until it has said so; answers the line. */
  untilTold(message: string): Promise<Record<string, unknown>> {
    return eventually(() => {
      const [line] = this.told(message);
      if (line === undefined) throw new Error(`no "${message}" in: ${this.stderr}`);
      return line;
    });
  }

  /** Waits until it listens; answers its URL. */
  async url(): Promise<string> {
    return String((await this.untilTold('listening'))['url']);
  }

  get hasExited(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** Ends it with SIGTERM; answers its exit code. */
  stop(): Promise<number | null> {
    this.#child.kill('SIGTERM');
    return this.#exited;
  }
}
