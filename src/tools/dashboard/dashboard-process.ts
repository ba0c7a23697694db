import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { CodedError } from '../../platform/errors.ts';
import { within } from '../../platform/within.ts';

const startMsMax = 30_000;
const stopMsMax = 3_000;
/** A query of the dashboard is ended after this, in milliseconds; its own default is a minute. */
const queryMsMax = 10_000;
const lastLinesMax = 20;

/** How the dashboard is run. */
export interface DashboardProcessSettings {
  /** Its program. */
  program: string;
  /** Of the role it logs in with. */
  databaseUrl: string;
  /** A free port of this machine. */
  port: number;
  /** What it asks of who comes: nobody can go round whoever stands in front of it. */
  password: string;
}

/** The user name that goes with the password. */
export const dashboardUser = 'tillbox';

/** pg-boss's dashboard in a process of its own, which ends with this one, whatever way that goes. */
export class DashboardProcess {
  readonly #settings: DashboardProcessSettings;
  readonly #lines: string[] = [];
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();

  constructor(settings: DashboardProcessSettings) {
    this.#settings = settings;
  }

  /** Resolves when it listens. @throws CodedError `unavailable` with what it said last */
  async start(): Promise<void> {
    const { program } = this.#settings;
    const own = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    const runner = fileURLToPath(new URL(`run-dashboard.${own}`, import.meta.url));
    const child = spawn(process.execPath, [...process.execArgv, runner, program], {
      env: this.#environment(),
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      // A group of its own: Ctrl-C is for who started it.
      detached: true,
    });
    this.#child = child;
    this.#exited = new Promise((resolve) => child.once('exit', () => resolve()));
    const listens = new Promise<true>((resolve) => {
      for (const stream of [child.stdout, child.stderr]) {
        stream?.setEncoding('utf8').on('data', (text: string) => {
          this.#lines.push(...text.split('\n').filter((line) => line !== ''));
          this.#lines.splice(0, this.#lines.length - lastLinesMax);
          if (text.includes('listening on')) resolve(true);
        });
      }
    });
    const ended = this.#exited.then(() => undefined);
    if ((await within(startMsMax, Promise.race([listens, ended]))) === true) return;
    await this.stop();
    throw this.#failure('did not start');
  }

  /** Rejects when it ends without having been asked to. */
  async untilDied(): Promise<never> {
    await this.#exited;
    throw this.#failure('ended');
  }

  /** May be called twice, or first. */
  async stop(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGTERM');
    if (
      (await within(
        stopMsMax,
        this.#exited.then(() => true),
      )) === undefined
    )
      child.kill('SIGKILL');
    await this.#exited;
  }

  /** All it gets, and nothing of ours. Secrets stand here, where nobody else can read them, and not in its arguments. */
  #environment(): Record<string, string> {
    const { databaseUrl, port, password } = this.#settings;
    const { PATH = '', HOME = '' } = process.env;
    return {
      PATH,
      HOME,
      NODE_ENV: 'production',
      HOST: '127.0.0.1',
      PORT: String(port),
      // It takes several, with | between them.
      DATABASE_URL: `tillbox=${databaseUrl.replaceAll('|', '%7C')}`,
      PGBOSS_SCHEMA: 'broker',
      PGBOSS_DASHBOARD_READ_ONLY: '1',
      PGBOSS_DASHBOARD_AUTH_USERNAME: dashboardUser,
      PGBOSS_DASHBOARD_AUTH_PASSWORD: password,
      PGBOSS_DASHBOARD_QUERY_TIMEOUT: String(queryMsMax),
    };
  }

  #failure(what: string): CodedError {
    const said = this.#lines.length === 0 ? '' : ` It said last:\n${this.#lines.join('\n')}`;
    return new CodedError('unavailable', `pg-boss's dashboard ${what}.${said}`);
  }
}
