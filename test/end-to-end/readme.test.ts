import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import type { EphemeralDatabases } from '../../src/system/ephemeral-databases.ts';
import { reservePort } from '../../src/system/ports.ts';
import { eventually } from '../support/eventually.ts';
import { anyPorts } from '../support/running-system.ts';
import { createEmptyDatabases } from '../support/test-server.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const readme = readFileSync(join(root, 'README.md'), 'utf8');

/** The README's commands find the executable as it tells people to. */
const path = `${join(root, 'node_modules', '.bin')}${delimiter}${process.env['PATH']}`;

/** Code blocks of one language, in order. */
function blocks(language: string): string[] {
  return [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map(
    ([, text]) => text ?? '',
  );
}

/** The block that has these words in it. */
function blockWith(words: string): string {
  const block = blocks('sh').find((text) => text.includes(words));
  if (block === undefined) throw new Error(`the README has no block with ${words}`);
  return block;
}

/** A recorded session: each command with what it printed. */
function recorded(session: string): { command: string; output: string }[] {
  const steps = session.split(/^\$ /m).slice(1);
  return steps.map((step) => {
    const [command = '', ...output] = step.trimEnd().split('\n');
    return { command, output: output.join('\n') };
  });
}

const uuid = /[0-9a-f]{8}-[0-9a-f-]{27}/g;

/** What differs between two runs of the same thing, by its kind. */
function withoutAccidents(text: string): string {
  return text
    .replaceAll(uuid, '<id>')
    .replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, '<time>')
    .replaceAll(/\d\d:\d\d:\d\d\.\d{3} +(\d+\.\d)?/g, '<time> <ms>')
    .replaceAll(/\d+(\.\d)? (ms|s)\b/g, '<ms>')
    .replaceAll(/process \d+/g, 'process <pid>')
    .replaceAll(/127\.0\.0\.1:\d+/g, '<address>')
    .replaceAll(/\S+\/logs\/up\.log/g, '<log>')
    .trimEnd();
}

async function run(command: string, environment: NodeJS.ProcessEnv): Promise<string> {
  const options = { cwd: root, env: { ...environment, PATH: path } };
  try {
    return (await promisify(execFile)('bash', ['-c', command], options)).stdout;
  } catch (error) {
    const { stdout, stderr, code } = error as { stdout: string; stderr: string; code: number };
    // CANCELED is a result with an exit code of its own.
    if (code === 3) return stdout;
    throw new Error(`${command} ended with ${code}: ${stderr}\n${stdout}`);
  }
}

describe('README', () => {
  const home = mkdtempSync(join(tmpdir(), 'tillbox-readme-'));
  const embedded = { ...process.env, ...anyPorts, TILLBOX_HOME: home };
  for (const name of [
    'DATABASE_URL',
    'ORDERS_DATABASE_URL',
    'PAYMENTS_DATABASE_URL',
    'BROKER_DATABASE_URL',
  ]) {
    delete (embedded as NodeJS.ProcessEnv)[name];
  }

  after(async () => {
    await run('tillbox down --wipe', embedded);
    rmSync(home, { recursive: true, force: true });
  });

  it('records a first session that goes like this', async function () {
    this.timeout(120_000);
    const steps = recorded(blocks('console')[0] ?? '');
    expect(steps.length).to.be.greaterThan(8);
    await replay(steps, async (command) => {
      if (command === 'tillbox down') await tryCurl();
    });
  });

  it('records an audit that finds nothing', async function () {
    this.timeout(120_000);
    const steps = recorded(blocks('console')[1] ?? '');
    expect(steps.map(({ command }) => command)).to.include('tillbox audit --wait 30');
    await replay(steps);
  });

  it('records the way of an order', async function () {
    this.timeout(120_000);
    const steps = recorded(blocks('console')[2] ?? '');
    expect(steps.map(({ command }) => command).join()).to.match(/tillbox trace [0-9a-f-]{36}/);
    await replay(steps);
  });

  it('shows a chaos run that passes', async function () {
    this.timeout(240_000);
    // The first of the two; the other takes ten minutes.
    const [command = ''] = blockWith('tillbox chaos').split('\n');
    expect(await run(command, embedded)).to.contain('PASS');
  });

  it('shows a load run that keeps its thresholds', async function () {
    this.timeout(240_000);
    const output = await run(`set -e\n${blockWith('tillbox load')}`, embedded);
    expect(output).to.contain('2000 finished').and.to.contain('nothing lost, nothing twice');
  });

  it('shows where metrics are', async function () {
    this.timeout(120_000);
    await run('tillbox down', embedded);
    const first = await threePorts();
    const commands = blockWith('TILLBOX_METRICS_PORT')
      .replaceAll('7460', String(first))
      .replaceAll('7461', String(first + 1));
    try {
      expect(await run(`set -e\n${commands}`, embedded)).to.contain('queue="orders-outbox"');
    } finally {
      await run('tillbox down', embedded);
    }
  });

  /** The first of three ports in a row that are free. */
  async function threePorts(): Promise<number> {
    for (let attempt = 1; ; attempt += 1) {
      const first = await reservePort('127.0.0.1', 0, 'TILLBOX_METRICS_PORT');
      try {
        for (const port of [first + 1, first + 2])
          await reservePort('127.0.0.1', port, 'TILLBOX_METRICS_PORT');
        return first;
      } catch (error) {
        if (attempt === 10) throw error;
      }
    }
  }

  /** Runs every command of a session and compares what it prints with the record. */
  async function replay(
    steps: readonly { command: string; output: string }[],
    before: (command: string) => Promise<void> = async () => {},
  ): Promise<void> {
    // The record's ids are not those of this run.
    const ids = new Map<string, string>();
    for (const { command, output } of steps) {
      await before(command);
      const now = command.replaceAll(uuid, (id) => ids.get(id) ?? id);
      const printed = await run(now, embedded);
      const found = printed.match(uuid) ?? [];
      for (const [index, id] of (output.match(uuid) ?? []).entries()) ids.set(id, found[index] ?? id);
      expect(withoutAccidents(printed), command).to.equal(withoutAccidents(output));
    }
  }

  /** The HTTP example, while the session's system runs. */
  async function tryCurl(): Promise<void> {
    const { gateway } = JSON.parse(await run('tillbox status --json', embedded));
    const answer = await run(blockWith('curl').replaceAll('http://127.0.0.1:7420', gateway.url), embedded);
    expect(JSON.parse(answer)).to.include({ user_id: 'alice', amount: '5.00', status: 'FINISHED' });
  }

  describe('on a Postgres given by URL', () => {
    let databases: EphemeralDatabases;
    before(async () => {
      databases = await createEmptyDatabases();
    });
    after(() => databases.drop());

    it('shows how to run each daemon by itself, and how to ask knex', async function () {
      this.timeout(120_000);
      const [orders, payments, gateway] = await Promise.all(
        ['O', 'P', 'G'].map((name) => reservePort('127.0.0.1', 0, name)),
      );
      const { ORDERS_DATABASE_URL, ...environment } = {
        ...embedded,
        ORDERS_DATABASE_URL: databases.urls.orders,
        PAYMENTS_DATABASE_URL: databases.urls.payments,
        BROKER_DATABASE_URL: databases.urls.broker,
        ORDERS_PORT: String(orders),
        PAYMENTS_PORT: String(payments),
        GATEWAY_PORT: String(gateway),
      };
      const commands = blockWith('tillbox serve').replace(
        /^export DATABASE_URL=.*$/m,
        `export ORDERS_DATABASE_URL='${ORDERS_DATABASE_URL}'`,
      );
      const shell = spawn('bash', ['-c', `${commands}\nwait`], {
        cwd: root,
        env: { ...environment, PATH: path },
        stdio: 'ignore',
        detached: true,
      });
      try {
        await eventually(
          async () => expect((await fetch(`http://127.0.0.1:${gateway}/readyz`)).status).to.equal(200),
          { withinMs: 40_000, everyMs: 100 },
        );
        const knex = blockWith('npx knex').match(/^NODE_OPTIONS=.*$/m)?.[0] ?? '';
        expect(await run(knex, { ...environment, ORDERS_DATABASE_URL })).to.contain('No Pending Migration');
      } finally {
        const ended = new Promise((resolve) => shell.once('exit', resolve));
        process.kill(-(shell.pid ?? 0), 'SIGTERM');
        await ended;
      }
    });
  });
});
