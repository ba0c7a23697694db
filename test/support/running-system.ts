import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Runtime } from '../../src/system/runtime-file.ts';
import { databaseVariables } from './database-variables.ts';
import { testServer } from './test-server.ts';

const executable = fileURLToPath(new URL('../../dist/bin/tillbox.js', import.meta.url));

/** What a command did. */
export interface Ran {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs `tillbox` with a home of its own and waits for its end. Its standard input is empty, or the text given. */
export function runTillbox(
  args: readonly string[],
  options: { home: string; env?: Record<string, string>; input?: string },
): Promise<Ran> {
  const child = spawn(process.execPath, [executable, ...args], {
    env: { ...process.env, TILLBOX_HOME: options.home, ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin.end(options.input ?? '');
  return new Promise((resolve, reject) => {
    const ran: Ran = { code: null, stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text) => {
      ran.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      ran.stderr += text;
    });
    child.once('error', reject);
    child.once('close', (code) => resolve({ ...ran, code }));
  });
}

/** Longer than `up` itself waits for its daemons, so that it is the one to say why. */
const startMsMax = 90_000;

/** Ports that let any number of systems run beside each other. */
export const anyPorts = { GATEWAY_PORT: '0', ORDERS_PORT: '0', PAYMENTS_PORT: '0' };

/** Where a system has its databases. */
export interface Databases {
  /** On a server of its own, as users have who give no URL; else on the server of this run, which costs less. */
  embedded?: boolean;
}

/** A whole system in real processes, as `tillbox up --ephemeral` runs it. */
export class RunningSystem {
  readonly home = mkdtempSync(join(tmpdir(), 'tillbox-test-'));
  readonly #args: readonly string[];
  readonly #environment: Record<string, string>;
  readonly #embedded: boolean;
  #up: ChildProcess | undefined;
  output = '';

  constructor(
    args: readonly string[] = [],
    environment: Record<string, string> = {},
    { embedded = false }: Databases = {},
  ) {
    this.#args = args;
    this.#environment = environment;
    this.#embedded = embedded;
  }

  /** Starts it, with the database URLs of the environment if there are any, and waits until it is ready. */
  async start(): Promise<void> {
    const urls = this.#embedded ? {} : databaseVariables((await testServer()).urls);
    const up = spawn(process.execPath, [executable, 'up', '--ephemeral', ...this.#args], {
      env: { ...process.env, ...urls, ...anyPorts, TILLBOX_HOME: this.home, ...this.#environment },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.#up = up;
    for (const stream of [up.stdout, up.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
    }
    await new Promise<void>((resolve, reject) => {
      const fail = (what: string) => {
        clearTimeout(patience);
        reject(new Error(`${what}\n${this.output}`));
      };
      const patience = setTimeout(() => fail(`the system did not start in ${startMsMax} ms`), startMsMax);
      up.once('message', (message: { ready?: boolean }) => {
        clearTimeout(patience);
        if (message.ready) resolve();
        else fail(`the system did not start: ${JSON.stringify(message)}`);
      });
      up.once('exit', (code) => fail(`the system ended with ${code}`));
    });
  }

  /** The records of its log so far, of the supervisor and of all daemons. */
  get log(): Record<string, unknown>[] {
    const lines = this.output.split('\n').slice(0, -1);
    return lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
  }

  /** What runs now, as the supervisor wrote it down. */
  get runtime(): Runtime {
    return JSON.parse(readFileSync(join(this.home, 'runtime.json'), 'utf8'));
  }

  get url(): string {
    return this.runtime.gateway.url;
  }

  /** Runs a command against it. */
  run(args: readonly string[], options: { env?: Record<string, string>; input?: string } = {}): Promise<Ran> {
    return runTillbox(args, { home: this.home, ...options });
  }

  /** Runs a command that must succeed and answers the JSON it prints. */
  async json<Value>(args: readonly string[]): Promise<Value> {
    const { code, stdout, stderr } = await this.run([...args, '--json']);
    if (code !== 0) throw new Error(`tillbox ${args.join(' ')} ended with ${code}: ${stderr}`);
    return JSON.parse(stdout);
  }

  /** Sends JSON to the gateway. */
  async post<Body>(
    path: string,
    body: unknown,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; headers: Headers; body: Body }> {
    const answer = await fetch(`${this.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
    return { status: answer.status, headers: answer.headers, body: (await answer.json()) as Body };
  }

  /** Reads from the gateway. */
  async get<Body>(
    path: string,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; headers: Headers; body: Body }> {
    const answer = await fetch(`${this.url}${path}`, { headers });
    return { status: answer.status, headers: answer.headers, body: (await answer.json()) as Body };
  }

  /** Ends it with SIGTERM; answers its exit code. */
  async stop(): Promise<number | null> {
    const up = this.#up;
    if (up === undefined) return null;
    const code =
      up.exitCode ??
      (await new Promise<number | null>((resolve) => {
        up.once('exit', resolve);
        up.kill('SIGTERM');
      }));
    rmSync(this.home, { recursive: true, force: true });
    return code;
  }
}

/** Gives the tests of a describe block a system of their own. */
export function useSystem(
  args: readonly string[] = [],
  environment: Record<string, string> = {},
  databases: Databases = {},
): RunningSystem {
  const system = new RunningSystem(args, environment, databases);
  before(async function () {
    this.timeout(startMsMax + 1_000);
    await system.start();
  });
  afterEach(function () {
    if (this.currentTest?.state === 'failed') console.error(system.output.split('\n').slice(-30).join('\n'));
  });
  after(async function () {
    this.timeout(60_000);
    await system.stop();
  });
  return system;
}
