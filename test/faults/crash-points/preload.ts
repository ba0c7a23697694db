import { writeSync } from 'node:fs';
import pg from 'pg';
import { brokerStatement, type CrashOrder, type Moment, readCrashOrder } from './statements.ts';

/**
 * Loaded into a daemon with `--import`, before its own code: names every statement that leaves the process,
 * by the step it belongs to, tells each name once on standard output, and kills the process with SIGKILL
 * right before or right after the statement it was ordered to die at. The daemon itself knows nothing of it.
 *
 * `before`: nothing was sent. `after`: the server has answered, the code has not seen the answer.
 */

/** Where a connection was asked for: our files and pg-boss's, innermost first. */
const askedBy = new WeakMap<object, string[]>();
/** Connections whose transaction has found or changed a row. */
const busy = new WeakSet<object>();
const told = new Set<string>();
let order: CrashOrder = readCrashOrder(process.env['CRASH_ORDER']);
const refused = new Set<string>();

process.on('message', (message: { crashOrder?: CrashOrder }) => {
  if (message.crashOrder === undefined) return;
  order = message.crashOrder;
  process.send?.({ armed: true });
});

type Callback = (error: Error | null | undefined, ...rest: unknown[]) => void;
type Answer = { rows?: unknown[]; rowCount?: number | null } | { rows?: unknown[] }[];

// A connection is asked for in the same turn as the call that needs it, so the stack still says who calls.
const connect = pg.Pool.prototype.connect as (this: pg.Pool, callback?: Callback) => Promise<object>;
pg.Pool.prototype.connect = function (this: pg.Pool, callback?: Callback) {
  const files = filesOnStack();
  const note = (client: unknown) => {
    if (typeof client !== 'object' || client === null) return;
    askedBy.set(client, files);
    busy.delete(client);
  };
  if (callback !== undefined) {
    return connect.call(this, (error, client, done) => {
      note(client);
      callback(error, client, done);
    });
  }
  return connect.call(this).then((client) => {
    note(client);
    return client;
  });
} as typeof pg.Pool.prototype.connect;

const query = pg.Client.prototype.query as (this: pg.Client, ...args: unknown[]) => unknown;
pg.Client.prototype.query = function (this: pg.Client, ...args: unknown[]) {
  const [config, values] = args as [string | { name?: string; text?: string }, unknown];
  const { name = undefined, text = '' } = typeof config === 'string' ? { text: config } : config;
  const label = labelOf(this, name, text, values);
  if (!told.has(label)) {
    told.add(label);
    tell({ seen: label });
  }
  dieIf(this, label, 'before');
  const refusal = refusalOf(label);
  const callbackAt = args.findIndex((argument) => typeof argument === 'function');
  if (callbackAt >= 0) {
    const callback = args[callbackAt] as Callback;
    if (refusal !== undefined) return void process.nextTick(callback, refusal);
    args[callbackAt] = (error: Error | null | undefined, answer: Answer) => {
      if (!error) answered(this, label, answer);
      callback(error, answer);
    };
    return query.apply(this, args);
  }
  if (refusal !== undefined) return Promise.reject(refusal);
  const result = query.apply(this, args);
  if (!(result instanceof Promise)) return result;
  return result.then((answer: Answer) => {
    answered(this, label, answer);
    return answer;
  });
} as typeof pg.Client.prototype.query;

function answered(client: object, label: string, answer: Answer): void {
  const rows = [answer].flat().reduce((sum, { rows = [], ...rest }) => {
    return sum + Math.max(rows.length, 'rowCount' in rest ? (rest.rowCount ?? 0) : 0);
  }, 0);
  if (rows > 0) busy.add(client);
  if (rows === 0 && asksForWork(label)) return;
  dieIf(client, label, 'after');
}

/** Those run idle as well: what counts is the time that they found something. */
function asksForWork(label: string): boolean {
  return /: (\w+_outbox_take|inbox_claim|orders_claim_overdue|fetch \S+)$/.test(label);
}

function dieIf(client: object, label: string, moment: Moment): void {
  if (order.at !== label || order.moment !== moment) return;
  // The commit of an idle pass is no boundary: nothing is committed.
  if (label.endsWith(': commit') && !busy.has(client)) return;
  tell({ died: label, moment });
  process.kill(process.pid, 'SIGKILL');
}

/** A statement that is to fail once, so that what follows a failure can be died at. */
function refusalOf(label: string): Error | undefined {
  if (order.refuse !== label || refused.has(label)) return undefined;
  refused.add(label);
  return Object.assign(new Error('refused by the test'), { code: 'XX000' });
}

function tell(what: object): void {
  writeSync(1, `${JSON.stringify(what)}\n`);
}

function filesOnStack(): string[] {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 50;
  const { stack = '' } = new Error();
  Error.stackTraceLimit = limit;
  const files = stack.matchAll(/\/(?:dist\/src\/([\w/-]+)|pg-boss\/dist\/([\w-]+))\.js:/g);
  return Array.from(files, ([, ours, boss]) => ours ?? `pg-boss/${boss}`);
}

/** Files that only carry out what another one decided. */
const carriers =
  /^(platform\/database|messaging\/outbox|orders\/(\w+-)?store|payments\/((\w+-)?store|incoming-requests))$/;

function labelOf(client: object, name: string | undefined, text: string, values: unknown): string {
  const files = askedBy.get(client) ?? [];
  if (files[0]?.startsWith('pg-boss/')) return brokerStatement(text, values, files);
  // The one statement of pg-boss that goes through a connection of ours.
  if (name?.startsWith('broker_insert_')) return brokerStatement(text, values, files);
  const step = files.find((file) => !carriers.test(file))?.replace(/^.*\//, '');
  if (step === undefined) return 'start-up';
  const sent = text.trim().replaceAll(/\s+/g, ' ').toLowerCase();
  // Settings that go along with it are part of the begin: one message, one answer.
  const what = name ?? (/^begin(; set local [\w ='.]+)*$/.test(sent) ? 'begin' : sent.slice(0, 60));
  return `${step}: ${what}`;
}
