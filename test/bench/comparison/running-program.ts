import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type pg from 'pg';
import type { EphemeralDatabases } from '../../../src/system/ephemeral-databases.ts';
import { type BenchServer, openAdministrator } from '../bench-server.ts';
import type { Watched } from '../process-usage.ts';
import { seededUser } from '../seed.ts';

const script = fileURLToPath(new URL('run-program.ts', import.meta.url));
const balance = 1_000_000_000;

/** A program of the comparison as it runs: its two processes, on an empty database of the bench's server. */
export class RunningProgram {
  readonly #server: BenchServer;
  readonly #databases: EphemeralDatabases;
  readonly #children = new Map<string, ChildProcess>();
  readonly admin: pg.Client;
  url = '';

  private constructor(server: BenchServer, databases: EphemeralDatabases, admin: pg.Client) {
    this.#server = server;
    this.#databases = databases;
    this.admin = admin;
  }

  /** @param name of `programs` */
  static async start(server: BenchServer, name: string, users: number): Promise<RunningProgram> {
    const databases = await server.createDatabase();
    const program = new RunningProgram(server, databases, await openAdministrator(databases.urls.orders));
    server.onStop(() => program.stop());
    await program.#run(name, 'setup');
    await program.admin.query(
      `insert into accounts (user_id, balance) select '${seededUser('')}' || n, $2 from generate_series(0, $1 - 1) as n`,
      [users, balance],
    );
    await program.#run(name, 'payments');
    const { port } = await program.#run(name, 'orders');
    program.url = `http://127.0.0.1:${port}`;
    return program;
  }

  /** Runs one process of it until it is ready, or, to set up, has ended. */
  #run(name: string, duty: 'setup' | 'orders' | 'payments'): Promise<{ port?: number }> {
    const child = fork(script, [name, duty], {
      env: { PATH: process.env['PATH'], DATABASE_URL: this.#databases.urls.orders },
      execArgv: ['--import', 'tsx'],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said = `${said}${text}`.slice(-2_000);
    });
    if (duty !== 'setup') this.#children.set(duty, child);
    return new Promise((resolve, reject) => {
      child.once('message', resolve);
      child.once('error', reject);
      child.once('exit', (code) => {
        if (code === 0) resolve({});
        else reject(new Error(`${name} ${duty} ended with ${code}: ${said}`));
      });
    });
  }

  get processes(): Watched[] {
    const own = [...this.#children].map(([name, { pid = 0 }]) => ({ name, pid }));
    return [...own, { name: 'postgres', pid: this.#server.pid, withChildren: true }];
  }

  /** What was lost or doubled, in words; undefined when nothing. Orders still NEW are neither. */
  async findLoss(users: number): Promise<string | undefined> {
    const { rows } = await this.admin.query<{ unpaid: number; spent: number; debited: number }>(
      `select (select count(*) from orders left join payments on order_id = id
                where status <> 'NEW' and (status = 'FINISHED') is distinct from paid) as unpaid,
              (select $1::bigint * $2::bigint - sum(balance) from accounts) as spent,
              (select coalesce(sum(amount) filter (where paid), 0) from payments) as debited`,
      [users, balance],
    );
    const [row] = rows;
    if (row === undefined) return 'nothing is there';
    if (row.unpaid > 0) return `${row.unpaid} orders are settled otherwise than they were paid`;
    if (row.spent !== row.debited) return `${row.spent} was taken from accounts, ${row.debited} was paid`;
    return undefined;
  }

  /** Ends it at once, and its database with it. May be called twice. */
  async stop(): Promise<void> {
    const children = [...this.#children.values()];
    this.#children.clear();
    if (children.length === 0) return;
    await Promise.all(
      children.map((child) => {
        if (child.exitCode !== null || child.signalCode !== null) return undefined;
        const ended = new Promise((resolve) => child.once('exit', resolve));
        child.kill('SIGKILL');
        return ended;
      }),
    );
    await this.admin.end();
    await this.#databases.drop();
  }
}
