import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const executable = fileURLToPath(new URL('../../dist/bin/tillbox.js', import.meta.url));
const linesMax = 200;

/** How a daemon ended, and how long after it was told to. */
export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  ms: number;
}

/**
 * One daemon, `tillbox serve …`, in a process of its own that nobody starts again: a test sees every end of
 * it. It keeps its port, so that it may be stopped and started while others know where it is.
 */
export class DaemonProcess {
  readonly name: string;
  readonly service: 'gateway' | 'orders' | 'payments';
  readonly url: string;
  readonly #environment: Record<string, string>;
  #preload: readonly string[];
  #child: ChildProcess | undefined;
  #exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }> | undefined;
  /** Ends that nobody asked for. */
  readonly crashes: string[] = [];
  readonly lines: string[] = [];

  /** @param options.preload modules of tests that are loaded before it, by path */
  constructor(options: {
    name: string;
    service: 'gateway' | 'orders' | 'payments';
    url: string;
    environment: Record<string, string>;
    preload?: readonly string[];
  }) {
    this.name = options.name;
    this.service = options.service;
    this.url = options.url;
    this.#environment = options.environment;
    this.#preload = options.preload ?? [];
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error(`${this.name} does not run`);
    return pid;
  }

  /** Loads these modules before it at the next start. */
  set preload(modules: readonly string[]) {
    this.#preload = modules;
  }

  start(): void {
    const imports = this.#preload.flatMap((path) => ['--import', path]);
    const child = spawn(process.execPath, [...imports, executable, 'serve', this.service], {
      env: { PATH: process.env['PATH'], ...this.#environment },
      // The channel ends it with this process, however that ends.
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on('line', (line) => {
        this.lines.push(line);
        if (this.lines.length > linesMax) this.lines.shift();
      });
    }
    this.#exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        if (this.#child === child) this.crashes.push(`${this.name} ended with ${signal ?? code}`);
        resolve({ code, signal });
      });
    });
  }

  /** Sends SIGTERM (or another signal) and waits for its end. */
  async stop(how: NodeJS.Signals = 'SIGTERM'): Promise<Ended> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || this.#exited === undefined) return { code: null, signal: null, ms: 0 };
    const since = performance.now();
    child.kill('SIGCONT');
    child.kill(how);
    const ended = await this.#exited;
    return { ...ended, ms: Math.round(performance.now() - since) };
  }

  /** Lets it go on after a pause. */
  resume(): void {
    process.kill(this.pid, 'SIGCONT');
  }

  async isReady(): Promise<boolean> {
    try {
      return (await fetch(`${this.url}/readyz`, { signal: AbortSignal.timeout(3_000) })).ok;
    } catch {
      return false;
    }
  }
}
