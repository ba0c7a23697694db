import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { eventually } from '../../support/eventually.ts';
import type { CrashOrder, Service } from './statements.ts';

const executable = fileURLToPath(new URL('../../../dist/bin/tillbox.js', import.meta.url));
const preload = new URL('./preload.ts', import.meta.url).href;
const linesKept = 15;
/** A start takes a second; the machine may be busy with other things. */
const readyMsMax = 40_000;

/** How a daemon ended, and the boundary it told to die at. */
export interface Death {
  signal: string | null;
  code: number | null;
  at: string | undefined;
  moment: string | undefined;
}

/** A real daemon in a process of its own, on a port that stays, which can be told where to die. */
export class CrashingDaemon {
  readonly service: Service;
  readonly url: string;
  /** Every statement any of its processes told. */
  readonly seen = new Set<string>();
  readonly lastLines: string[] = [];
  readonly #environment: NodeJS.ProcessEnv;
  #child: ChildProcess | undefined;
  #death: Promise<Death> = Promise.reject(new Error('not started'));

  constructor(service: Service, port: number, environment: NodeJS.ProcessEnv) {
    this.service = service;
    this.url = `http://127.0.0.1:${port}`;
    const variable = service === 'orders' ? 'ORDERS_PORT' : 'PAYMENTS_PORT';
    this.#environment = { ...environment, [variable]: String(port) };
    this.#death.catch(() => {});
  }

  get running(): boolean {
    return this.#child !== undefined;
  }

  /** Resolves when the process is gone and all it said was read. */
  get death(): Promise<Death> {
    return this.#death;
  }

  /** Starts it, under orders from its first statement on if there are any. Does not wait. */
  start(order?: CrashOrder): void {
    const child = spawn(process.execPath, ['--import', preload, executable, 'serve', this.service], {
      env: { ...this.#environment, ...(order === undefined ? {} : { CRASH_ORDER: JSON.stringify(order) }) },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.#child = child;
    let told: { died?: string; moment?: string } = {};
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      const said = JSON.parse(line);
      if (said.seen !== undefined) this.seen.add(said.seen);
      if (said.died !== undefined) told = said;
    });
    createInterface({ input: child.stderr as NodeJS.ReadableStream }).on('line', (line) => {
      this.lastLines.push(line);
      if (this.lastLines.length > linesKept) this.lastLines.shift();
    });
    this.#death = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        this.#child = undefined;
        resolve({ signal, code, at: told.died, moment: told.moment });
      });
    });
  }

  async ready(): Promise<void> {
    const assertReady = async () => {
      const answer = await fetch(`${this.url}/readyz`).catch((error: TypeError) => error.cause);
      if (answer instanceof Response && answer.status === 200) return;
      const said = answer instanceof Response ? answer.status : String(answer);
      throw new Error(`${this.service} is not ready: ${said}\n${this.lastLines.join('\n')}`);
    };
    await eventually(assertReady, { withinMs: readyMsMax, everyMs: 25 });
  }

  /** Gives it orders while it runs; resolves when it has them. */
  async arm(order: CrashOrder): Promise<void> {
    const child = this.#child;
    if (child === undefined) throw new Error(`${this.service} does not run`);
    await new Promise<void>((resolve, reject) => {
      child.once('message', () => resolve());
      child.send({ crashOrder: order }, (error) => error && reject(error));
    });
  }

  /** Ends it, the hard way. */
  async kill(): Promise<void> {
    if (this.#child === undefined) return;
    this.#child.kill('SIGKILL');
    await this.#death;
  }
}
