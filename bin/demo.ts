/**
 * `npm run demo`: the whole system, for a minute. Starts everything with `tillbox up --ephemeral`, and then does
 * only what anybody can do at the command line.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { colouredPaint, paintStatus, plainPaint } from '../src/cli/terminal/paint.ts';

interface Order {
  id: string;
  amount: string;
  description: string;
  status: string;
  reason: string | null;
  created_at: string;
  settled_at: string;
}

const executable = fileURLToPath(new URL('./tillbox.js', import.meta.url));
const home = mkdtempSync(join(tmpdir(), 'tillbox-demo-'));
const environment = {
  ...process.env,
  TILLBOX_HOME: home,
  TILLBOX_URL: '',
  GATEWAY_PORT: '0',
  ORDERS_PORT: '0',
  PAYMENTS_PORT: '0',
};
const paint = process.stdout.isTTY && !process.env['NO_COLOR'] ? await colouredPaint() : plainPaint;

/** Runs a command of ours, showing it; answers what it printed. Exit code 3 (CANCELED) is an answer too. */
async function tillbox(...args: string[]): Promise<string> {
  const typed = args.map((word) => (word.includes(' ') ? `"${word}"` : word));
  console.log(paint.faint(`$ tillbox ${typed.join(' ')}`));
  const child = spawn(process.execPath, [executable, ...args, '--json', '--no-input'], {
    env: environment,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    output += text;
  });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  if (code !== 0 && code !== 3) throw new Error(`tillbox ${args.join(' ')} ended with ${code}`);
  return output;
}

async function order(user: string, amount: string, description: string): Promise<void> {
  const made: Order = JSON.parse(await tillbox('create-order', user, amount, description, '--wait'));
  const ms = Date.parse(made.settled_at) - Date.parse(made.created_at);
  const reason = made.reason === null ? '' : ` (${made.reason})`;
  console.log(
    `  ${paintStatus(paint, made.status)}${reason} ${made.amount} for ${made.description}, ${ms} ms from NEW to final\n`,
  );
}

async function balance(user: string): Promise<void> {
  const account: { balance: string } = JSON.parse(await tillbox('balance', user));
  console.log(`  ${user} has ${paint.heading(account.balance)}\n`);
}

/** Starts the system and resolves when it is ready. */
function up(): Promise<ChildProcess> {
  console.log(paint.faint('$ tillbox up --ephemeral'));
  const child = spawn(process.execPath, [executable, 'up', '--ephemeral', '--no-color'], {
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
  }
  return new Promise((resolve, reject) => {
    child.once('message', (message: { ready?: boolean; message?: string }) => {
      if (message.ready) resolve(child);
      else reject(new Error(message.message ?? output));
    });
    child.once('exit', () => reject(new Error(`the system did not start\n${output}`)));
  });
}

const startedAt = performance.now();
const seconds = () => ((performance.now() - startedAt) / 1_000).toFixed(1);
let system: ChildProcess | undefined;
try {
  system = await up();
  console.log(`  Postgres, gateway, orders and payments run, ${seconds()} s\n`);
  for (const user of ['alice', 'bob']) {
    await tillbox('create-account', user);
    console.log(`  ${user} has an account\n`);
  }
  await tillbox('topup', 'alice', '100.00');
  await balance('alice');
  await order('alice', '49.90', 'two tickets');
  await order('bob', '49.90', 'two tickets');
  await order('carol', '49.90', 'two tickets');
  await balance('alice');
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  if (system !== undefined && system.exitCode === null) {
    const ended = new Promise((resolve) => system?.once('exit', resolve));
    system.kill('SIGTERM');
    await ended;
  }
  rmSync(home, { recursive: true, force: true });
  if (process.exitCode !== 1) console.log(`Everything is ended and gone again, ${seconds()} s in all.`);
}
