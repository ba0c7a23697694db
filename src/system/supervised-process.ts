import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const restartMsMin = 100;
const restartMsMax = 5_000;
/** Who lived so long did not die of its start, and is started again at once. */
const settledMs = 1_500;
/** A daemon drains for nine seconds at most; after this it is ended for good. */
const stopMsMax = 12_000;
const lastLinesMax = 20;
/** What is told of a supervised process. */
export interface ProcessEvents {
  /** A line it wrote to its standard error or output. */
  line(name: string, line: string): void;
  /** It ended without being asked to, and will be started again. */
  died(name: string, how: string): void;
  /** It runs, under this pid. */
  started(name: string, pid: number): void;
}

/**
 * A daemon in a process of its own, started again whenever it dies. It ends with this process too, whatever
 * way: it stops when the channel to its supervisor closes.
 */
export class SupervisedProcess {
  readonly name: string;
  readonly #arguments: readonly string[];
  readonly #nodeFlags: readonly string[];
  readonly #environment: () => Promise<Record<string, string>>;
  readonly #events: ProcessEvents;
  readonly #lastLines: string[] = [];
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();
  #restart: NodeJS.Timeout | undefined;
  #restartMs = restartMsMin;
  #starting: Promise<void> = Promise.resolve();
  #stopping = false;

  /**
   * @param options.arguments of the tillbox executable
   * @param options.nodeFlags for Node, besides those this process has
   * @param options.environment all it gets; asked for again at each start, because logins may change
   */
  constructor(options: {
    name: string;
    arguments: readonly string[];
    nodeFlags: readonly string[];
    environment: () => Promise<Record<string, string>>;
    events: ProcessEvents;
  }) {
    this.name = options.name;
    this.#arguments = options.arguments;
    this.#nodeFlags = options.nodeFlags;
    this.#environment = options.environment;
    this.#events = options.events;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** The last lines it wrote, for when it did not come up. */
  get lastLines(): readonly string[] {
    return this.#lastLines;
  }

  start(): void {
    this.#starting = this.#environment().then((environment) => {
      if (!this.#stopping) this.#spawn(environment);
    });
  }

  #spawn(environment: Record<string, string>): void {
    const startedAt = performance.now();
    const nodeArguments = [...process.execArgv, ...this.#nodeFlags];
    const child = spawn(process.execPath, [...nodeArguments, executablePath(), ...this.#arguments], {
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      // A group of its own: Ctrl-C is for the supervisor, which stops things in order.
      detached: true,
    });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on('line', (line) => {
        this.#lastLines.push(line);
        if (this.#lastLines.length > lastLinesMax) this.#lastLines.shift();
        this.#events.line(this.name, line);
      });
    }
    child.on('error', (error) => this.#events.line(this.name, error.message));
    this.#exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        resolve();
        if (this.#stopping) return;
        this.#events.died(this.name, signal ?? `exit code ${code}`);
        if (performance.now() - startedAt > settledMs) this.#restartMs = restartMsMin;
        this.#restart = setTimeout(() => this.start(), this.#restartMs);
        this.#restartMs = Math.min(this.#restartMs * 2, restartMsMax);
      });
    });
    if (child.pid !== undefined) this.#events.started(this.name, child.pid);
  }

  /** Lets it drain, and ends it when it does not. May be called twice, or before start. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#restart);
    await this.#starting;
    const child = this.#child;
    if (child === undefined) return;
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), stopMsMax);
    await this.#exited;
    clearTimeout(timer);
  }
}

/** The tillbox executable next to this code: compiled beside compiled, source beside source. */
export function executablePath(): string {
  const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return fileURLToPath(new URL(`../../bin/tillbox.${ending}`, import.meta.url));
}
