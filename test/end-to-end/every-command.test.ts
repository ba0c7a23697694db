import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { createProgram } from '../../src/cli/program.ts';
import { commandsOf } from '../../src/cli/reference.ts';
import { textWidth } from '../../src/cli/terminal/text-width.ts';
import { sqlBehind } from '../support/administrator.ts';
import { eachOf } from '../support/each-of.ts';
import { useSystem } from '../support/running-system.ts';
import { TerminalSession } from '../support/terminal-session.ts';

const executable = fileURLToPath(new URL('../../dist/bin/tillbox.js', import.meta.url));
const hostile = '\u001b[2J\u001b]0;x\u0007\u202edlrow\u202c 日本語 🎫 e\u0301 שלום\r\n\u009bm'.concat(
  ' on'.repeat(60),
);
const nowhere = 'postgres://nobody@127.0.0.1:1/nowhere';

/** A command as it is tried in every way. */
interface Tried {
  words: string[];
  /** What it leads to; nothing where it needs neither gateway nor databases. */
  needs?: 'gateway' | 'databases';
  input?: string;
  /** How it ends; 0 when absent. */
  code?: number;
  /** Prints no JSON document: a script, help, or what a pipe is there for. */
  plain?: true;
  /** Is no matter of a terminal's width: it draws a screen of its own, or reads a pipe. */
  piped?: true;
}

/** Every command, in every way in which all of them must behave: told once, for all. */
describe('every command', function () {
  this.timeout(180_000);
  const system = useSystem([], {}, { embedded: true });
  const tried: Tried[] = [];

  before(async () => {
    await system.json(['create-account', 'alice']);
    await system.json(['topup', 'alice', '1000000']);
    for (const amount of ['1', '22.50', '2000000']) {
      const order = { user_id: 'alice', amount, description: hostile };
      expect((await system.post('/orders', order, { prefer: 'wait=20' })).status).to.equal(201);
    }
    const { orders } = await system.json<{ orders: { id: string }[] }>(['orders', 'alice']);
    const id = orders[0]?.id ?? '';
    const data = {
      messages: [{ type: hostile, subject: id }],
      dead_letter: { reason: 'unknown-type', detail: hostile },
    };
    const letters = await sqlBehind<{ id: string }>(
      system.runtime,
      'broker',
      `insert into broker.job (name, data) select 'payment-requests-dead-letters', $1::jsonb
         from generate_series(1, 4) returning id`,
      [JSON.stringify({ ...data, dead_letter: { ...data.dead_letter, queue: 'payment-requests' } })],
    );
    const letter = letters[0]?.id ?? '';
    const client = (...words: string[]) => ({ words, needs: 'gateway' as const });
    const tool = (...words: string[]) => ({ words, needs: 'databases' as const });
    const batch = (command: string, input: object) => ({
      ...client(command, '--batch'),
      ...{ input: `${JSON.stringify(input)}\n`, plain: true as const, piped: true as const },
    });
    tried.push(
      client('balance', 'alice'),
      client('statement', 'alice'),
      client('orders', 'alice'),
      client('order', id),
      client('order', id, '--watch'),
      client('topup', 'alice', '1'),
      client('create-order', 'alice', '1', hostile.slice(4, 60)),
      client('create-order', 'alice', '1', '--wait'),
      { ...client('create-account', 'bob', '--idempotency-key', 'once') },
      batch('create-account', { user_id: 'bert', idempotency_key: 'once-too' }),
      batch('topup', { user_id: 'alice', amount: '1' }),
      batch('create-order', { user_id: 'alice', amount: '1', description: hostile.slice(4, 60) }),
      client('load', '--orders', '10', '--users', '2', '--no-audit'),
      tool('trace', id),
      tool('trace', id, '--follow'),
      // The dead letters wait for somebody.
      { ...tool('audit'), code: 8 },
      tool('queues'),
      { ...tool('top', '--count', '1'), plain: true, piped: true },
      tool('dead-letters', 'list'),
      tool('dead-letters', 'show', letter),
      tool('dead-letters', 'redrive', '--all', '--dry-run'),
      tool('dead-letters', 'discard', '--all', '--why', hostile.slice(30, 60), '--dry-run'),
      tool('migrate'),
      { words: ['status'] },
      { words: ['doctor'] },
      { words: ['token', 'alice'] },
      { words: ['status', '-o', 'env'], plain: true, piped: true },
      { words: ['completion', 'bash'], plain: true, piped: true },
      { words: ['help', 'environment'], plain: true },
      { words: ['dead-letters', '--help'], plain: true },
      { words: [], plain: true, piped: true },
    );
  });

  const named = ({ words }: Tried) => `tillbox ${words.join(' ').slice(0, 60)}`;

  it('is here, or has tests of its own', () => {
    const here = new Set(tried.map(({ words }) => words[0]));
    // A daemon, a system and its end, and what takes a minute: up.test.ts, chaos.test.ts and others.
    const elsewhere = ['up', 'down', 'serve', 'chaos', 'dashboard'];
    for (const { fullName } of commandsOf(createProgram())) {
      const name = fullName.split(' ')[1] ?? '';
      expect(here.has(name) || elsewhere.includes(name), name).to.equal(true);
    }
  });

  it('prints through a pipe without escape codes or questions, its results alone on stdout', async () => {
    await eachOf(tried, { atOnce: 3 }, async (each) => {
      const { code, stdout, stderr } = await system.run(each.words, { input: each.input ?? '' });
      expect(code, `${named(each)}: ${stderr}`).to.equal(each.code ?? 0);
      expect(stdout, named(each))
        .not.to.equal('')
        .and.not.to.match(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
      expect(stderr, named(each)).not.to.match(/[\u0000-\u0009\u000b-\u001f]|\? /);
    });
  });

  it('prints JSON that can be parsed, and nothing beside it, with --json', async () => {
    await eachOf(
      tried.filter(({ plain }) => !plain),
      { atOnce: 3 },
      async (each) => {
        const { code, stdout, stderr } = await system.run([...each.words, '--json']);
        expect({ code, stderr }, named(each)).to.deep.equal({ code: each.code ?? 0, stderr: '' });
        for (const line of stdout.trimEnd().split('\n'))
          expect(JSON.parse(line), named(each)).to.be.an('object');
      },
    );
  });

  async function onTerminal(each: Tried, words: string[], columns: number, env: Record<string, string> = {}) {
    const session = TerminalSession.tillbox([...each.words, ...words], {
      columns,
      rows: 200,
      env: { TILLBOX_HOME: system.home, ...env },
    });
    try {
      expect(await session.ended, named(each)).to.deep.equal({ code: each.code ?? 0, restored: true });
      return session.raw;
    } finally {
      await session.close();
    }
  }

  // That tables use a wide one is for the tests of each.
  for (const [columns, env] of [
    [40, { NO_COLOR: '1' }],
    [80, {}],
  ] as const) {
    it(`fits a terminal of ${columns} columns and leaves it as it was${'NO_COLOR' in env ? ', without colours' : ''}`, async () => {
      await eachOf(
        tried.filter(({ piped }) => !piped),
        { atOnce: 3 },
        async (each) => {
          const raw = await onTerminal(each, [], columns, env);
          if ('NO_COLOR' in env) expect(raw, named(each)).not.to.match(/\u001b\[[0-9;]*m/);
          const results = raw.replaceAll(/\r\u001b\[(2)?K[^\r\n]*/g, '').split('\r\n');
          for (const line of results) {
            // A word that is longer by itself, such as a URL, is not broken, nor is a message in JSON; and what goes
            // to stderr is no table.
            const isFree =
              !line.trim().includes(' ') ||
              /^(\s+"|There is more|Left out|For alice|Not quiet|Topped up|Created|Watch it|Put money|Create the)/.test(
                line,
              );
            expect(isFree || textWidth(line) <= columns, `${named(each)}:\n${line}`).to.equal(true);
          }
        },
      );
    });
  }

  it('prints the same JSON on a terminal, whatever its width', async () => {
    await eachOf(
      tried.filter(({ plain }) => !plain),
      { atOnce: 3 },
      async (each) => {
        const raw = await onTerminal(each, ['--json'], 40);
        expect(raw, named(each)).not.to.contain('\u001b');
        const isStream = each.words.includes('--watch') || each.words.includes('--follow');
        for (const text of isStream ? raw.trimEnd().split('\r\n') : [raw]) JSON.parse(text);
      },
    );
  });

  it('says in a line what is wrong and what to do when the gateway or the databases are away', async () => {
    const env = { gateway: { TILLBOX_URL: 'http://127.0.0.1:1' }, databases: { DATABASE_URL: nowhere } };
    await eachOf(
      tried.filter(({ needs }) => needs),
      { atOnce: 3 },
      async (each) => {
        const { code, stdout, stderr } = await system.run(each.words, {
          env: env[each.needs ?? 'gateway'],
          input: each.input ?? '',
        });
        // A line of a batch has an error of its own.
        const isBatch = each.words.includes('--batch');
        expect(code, `${named(each)}: ${stderr}`).to.equal(isBatch ? 1 : 7);
        if (isBatch) expect(JSON.parse(stdout)).to.include({ code: 'unavailable', line: 1 });
        else expect(stdout, named(each)).to.equal('');
        expect(stderr, named(each)).to.match(/^tillbox: .*(tillbox (up|status)|Start it).*\n$/);
      },
    );
  });

  it('exits 4 or 7 when a database refuses, as its help says', async () => {
    const url = new URL(system.runtime.databases.orders);
    url.password = 'wrong';
    const env = { DATABASE_URL: url.href };
    await eachOf(
      tried.filter(({ needs }) => needs === 'databases'),
      { atOnce: 3 },
      async (each) => {
        const { code, stderr } = await system.run(each.words, { env });
        const { exitCodes = [] } =
          commandsOf(createProgram()).find(
            ({ fullName }) => named(each).startsWith(`${fullName} `) || named(each) === fullName,
          ) ?? {};
        expect(code, named(each)).to.equal(exitCodes.includes(4) ? 4 : 7);
        expect(stderr).to.contain('password authentication failed');
      },
    );
  });

  it('ends quietly, and as soon as it can, when nobody reads what it prints', async () => {
    await eachOf(tried, { atOnce: 3 }, async (each) => {
      const child: ChildProcess = spawn(process.execPath, [executable, ...each.words], {
        env: { ...process.env, TILLBOX_HOME: system.home },
        stdio: ['pipe', 'pipe', 'pipe'],
      });
      let stderr = '';
      child.stderr?.setEncoding('utf8').on('data', (text) => {
        stderr += text;
      });
      child.stdout?.destroy();
      child.stdin?.on('error', () => {}).end(each.input ?? '');
      const code = await new Promise((resolve) => child.once('close', resolve));
      expect(code, `${named(each)}: ${stderr}`).to.equal(each.code ?? 0);
      expect(stderr, named(each)).not.to.match(/EPIPE|\n\s+at |bug/);
    });
  });

  it('takes an answer for a missing argument from a person only: elsewhere it is a usage error', async () => {
    const missing = [
      'balance',
      'statement',
      'orders',
      'order',
      'topup',
      'create-order',
      'create-account',
      'trace',
      'token',
    ];
    await eachOf(missing, { atOnce: 3 }, async (command) => {
      const { code, stdout, stderr } = await system.run([command], { input: 'alice\n' });
      expect({ code, stdout }, command).to.deep.equal({ code: 2, stdout: '' });
      expect(stderr, command).to.contain('is missing').and.to.contain(`Usage: tillbox ${command} `);
      const session = TerminalSession.tillbox([command], { env: { TILLBOX_HOME: system.home } });
      try {
        await session.shows(/\? (User|Order) id/);
        session.press('ctrl-c');
        expect(await session.ended, command).to.deep.equal({ code: 130, restored: true });
      } finally {
        await session.close();
      }
    });
  });

  it('takes a person’s answers as it takes arguments', async () => {
    const user = `user-${randomUUID()}`;
    await system.json(['create-account', user]);
    const session = TerminalSession.tillbox(['topup'], { env: { TILLBOX_HOME: system.home } });
    try {
      await session.shows('User id');
      session.type(`${user}\r`);
      await session.shows('Amount');
      session.type('12.5\r');
      expect(await session.ended).to.deep.equal({ code: 0, restored: true });
      expect(session.text).to.contain('the balance is 12.50');
    } finally {
      await session.close();
    }
  });
});
