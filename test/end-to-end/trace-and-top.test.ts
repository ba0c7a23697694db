import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import pg from 'pg';
import type { TopDocument } from '../../src/tools/top/top-document.ts';
import type { TraceDocument } from '../../src/tools/trace/trace-document.ts';
import { sqlBehind } from '../support/administrator.ts';
import { eventually } from '../support/eventually.ts';
import { useSystem } from '../support/running-system.ts';
import { TerminalSession } from '../support/terminal-session.ts';

const executable = fileURLToPath(new URL('../../dist/bin/tillbox.js', import.meta.url));
const escapes = /[\u0000-\u0009\u000b-\u001f]/;

describe('end to end: trace and top', function () {
  this.timeout(90_000);
  const system = useSystem();
  const sessions: TerminalSession[] = [];

  before(async () => {
    await system.run(['create-account', 'alice']);
    await system.run(['topup', 'alice', '1000']);
  });
  afterEach(async () => {
    for (const session of sessions.splice(0)) await session.close();
  });

  function onTerminal(
    words: string[],
    options: { columns?: number; rows?: number; env?: Record<string, string> } = {},
  ) {
    const session = TerminalSession.tillbox(words, {
      ...options,
      env: { TILLBOX_HOME: system.home, TZ: 'UTC', ...options.env },
    });
    sessions.push(session);
    return session;
  }

  function startCommand(words: string[]): ChildProcess & { stdout: NonNullable<ChildProcess['stdout']> } {
    const child = spawn(process.execPath, [executable, ...words], {
      env: { ...process.env, TILLBOX_HOME: system.home },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    return child as ChildProcess & { stdout: NonNullable<ChildProcess['stdout']> };
  }

  async function order(): Promise<string> {
    const { id } = await system.json<{ id: string }>(['create-order', 'alice', '1.00', 'tea', '--wait=20']);
    return id;
  }

  /** Holds alice's account until it is let go. */
  async function holdAccount(): Promise<() => Promise<void>> {
    const client = new pg.Client({
      connectionString: system.runtime.databases.payments,
      application_name: 'a careless operator',
    });
    await client.connect();
    await client.query('begin');
    await client.query(`select from payments.accounts where user_id = 'alice' for no key update`);
    return () => client.end();
  }

  describe('trace', () => {
    it('tells the way of an order as a table and as JSON', async () => {
      const id = await order();
      const { stdout, stderr, code } = await system.run(['trace', id]);
      expect([code, stderr]).to.deep.equal([0, '']);
      expect(stdout).to.not.match(escapes);
      for (const step of [
        '1 created',
        '2 published',
        '3 received',
        '4 decided',
        '5 published',
        '6 settled',
      ]) {
        expect(stdout).to.contain(step);
      }
      const document = await system.json<TraceDocument>(['trace', id]);
      expect(document.steps.map(({ number }) => number)).to.deep.equal([1, 2, 3, 4, 5, 6]);
      expect(document).to.deep.include({ final: true, duplicates: 0, standing: null, notes: [], away: [] });
    });

    it('says who is in the way of an order, and follows it to its end', async () => {
      const release = await holdAccount();
      const { id } = await system.json<{ id: string }>(['create-order', 'alice', '2.00']);
      await eventually(async () => {
        const { standing } = await system.json<TraceDocument>(['trace', id]);
        const held = standing?.reasons.find(({ reason }) => reason === 'account-held');
        expect(held?.detail).to.contain('a careless operator');
      });
      const following = startCommand(['trace', id, '--follow', '--json']);
      const ended = new Promise((resolve) => following.once('exit', resolve));
      let text = '';
      for await (const chunk of following.stdout.setEncoding('utf8')) {
        if (text === '') await release();
        text += chunk;
      }
      expect(await ended).to.equal(0);
      const lines = text
        .trimEnd()
        .split('\n')
        .map((line): TraceDocument => JSON.parse(line));
      expect(lines[0]?.standing).to.deep.include({ place: 'payments-inbox' });
      expect(lines.at(-1)).to.deep.include({ final: true, standing: null });
    });

    it('says which daemon hangs as soon as it does, and what to do', async () => {
      const pid = system.runtime.payments[0]?.pid as number;
      process.kill(pid, 'SIGSTOP');
      try {
        const { id } = await system.json<{ id: string }>(['create-order', 'alice', '2.00']);
        const { standing } = await system.json<TraceDocument>(['trace', id]);
        const silent = standing?.reasons.find(({ reason }) => reason === 'daemon-silent');
        expect(silent?.detail).to.contain(`payments (process ${pid}) does not answer`);
        expect(silent?.since).to.be.a('string');
        expect(standing?.commands).to.include(`kill -9 ${pid}`);
      } finally {
        process.kill(pid, 'SIGCONT');
      }
    });

    it('tells of a dead letter, of its redriving, and of the delivery that was suppressed', async () => {
      const id = await order();
      const [job] = await sqlBehind<{ data: { messages: { subject: string }[] } }>(
        system.runtime,
        'broker',
        `select data from broker.job where name = 'payment-requests' and data::text like $1`,
        [`%${id}%`],
      );
      const messages = job?.data.messages.filter(({ subject }) => subject === id);
      const letter = { reason: 'unknown-type', detail: 'of tomorrow', queue: 'payment-requests' };
      const [dead] = await sqlBehind<{ id: string }>(
        system.runtime,
        'broker',
        `insert into broker.job (name, data) values ('payment-requests-dead-letters', $1::jsonb) returning id`,
        [JSON.stringify({ messages, dead_letter: letter })],
      );
      const letterId = dead?.id ?? '';
      expect((await system.run(['dead-letters', 'redrive', letterId, '--who', 'eve'])).code).to.equal(0);
      await eventually(async () => {
        const document = await system.json<TraceDocument>(['trace', id]);
        const beside = document.steps.filter(({ number }) => number === null).map(({ step }) => step);
        expect(beside.slice(0, 2)).to.deep.equal(['dead-letter', 'redriven']);
        // The request has its decision already, which payments tells again, and orders has. A delivery is told at
        // its end, which may come after what followed from it.
        expect(beside.slice(2)).to.have.members(['duplicate', 'published-again', 'duplicate']);
        expect(document).to.deep.include({ duplicates: 2, final: true });
      });
      const { stdout } = await system.run(['trace', id]);
      expect(stdout)
        .to.match(/dead-letter .*of tomorrow/)
        .and.to.match(/redriven .*eve/);
      expect(stdout).to.contain('duplicate').and.not.to.match(escapes);
    });

    it('exits with 2, 5 or 7 when the call is wrong, the order unknown, or a database away', async () => {
      expect((await system.run(['trace'])).code).to.equal(2);
      expect((await system.run(['trace', 'no-id'])).code).to.equal(2);
      const unknown = await system.run(['trace', randomUUID()]);
      expect([unknown.code, unknown.stdout]).to.deep.equal([5, '']);
      const { orders, broker } = system.runtime.databases;
      const env = {
        ORDERS_DATABASE_URL: orders,
        PAYMENTS_DATABASE_URL: 'postgres://nobody@127.0.0.1:1/nowhere',
        BROKER_DATABASE_URL: broker,
      };
      const partly = await system.run(['trace', await order(), '--json'], { env });
      expect(partly.code).to.equal(7);
      const document: TraceDocument = JSON.parse(partly.stdout);
      expect(document.away.map(({ database }) => database)).to.deep.equal(['payments']);
      expect(document.steps.find(({ step }) => step === 'received')?.detail).to.equal('payments is away');
      expect(JSON.parse(partly.stderr)).to.include({ code: 'unavailable' });
    });

    it('ends quietly when nobody reads any more', async () => {
      const release = await holdAccount();
      const { id } = await system.json<{ id: string }>(['create-order', 'alice', '2.00']);
      const following = startCommand(['trace', id, '--follow', '--json']);
      const ended = new Promise((resolve) => following.once('exit', resolve));
      following.stdout.once('data', async () => {
        following.stdout.destroy();
        await release();
      });
      expect(await ended).to.equal(0);
    });

    for (const columns of [40, 80, 200]) {
      it(`fits a terminal of ${columns} columns, coloured only if wanted`, async () => {
        const id = await order();
        const coloured = onTerminal(['trace', id], { columns });
        expect(await coloured.ended).to.deep.equal({ code: 0, restored: true });
        expect(coloured.text).to.contain('6 settled').and.contain(id);
        expect(coloured.raw).to.contain('\u001b[32m');
        const plain = onTerminal(['trace', id], { columns, env: { NO_COLOR: '1' } });
        await plain.ended;
        expect(plain.raw).to.not.contain('\u001b');
        const longest = Math.max(...plain.raw.split('\r\n').map((line) => line.length));
        expect(longest).to.be.at.most(Math.max(columns, id.length + 9));
      });
    }
  });

  describe('top', () => {
    const commonWords = [
      'tillbox top',
      'gateway ready',
      'LATENCY MS',
      '6 settled',
      'payment-results',
      'EVENTS',
    ];

    it('shows the system on a screen, q ends it and gives the terminal back', async () => {
      await order();
      const top = onTerminal(['top', '--interval', '0.2']);
      for (const words of commonWords) await top.shows(words);
      await top.shows(/whole order +\d/);
      expect(top.screen.every((line) => line.length <= 80)).to.equal(true);
      top.type('q');
      expect(await top.ended).to.deep.equal({ code: 0, restored: true });
      expect(top.text).to.not.contain('LATENCY');
    });

    it('draws itself anew when the terminal is resized', async () => {
      const top = onTerminal(['top', '--interval', '60'], { columns: 100, rows: 30 });
      await top.shows('IN FLIGHT');
      top.resize(40, 20);
      await top.hides('IN FLIGHT');
      await top.shows('LATENCY MS');
      top.resize(100, 30);
      await top.shows('IN FLIGHT');
      top.press('ctrl-c');
      expect(await top.ended).to.deep.equal({ code: 130, restored: true });
    });

    /** A screen under way, and what makes this happen in its process. */
    function provocable(code: string): { top: TerminalSession; provoke(): void } {
      const file = join(system.home, `provoked-${randomUUID()}`);
      const preload = `import { existsSync } from 'node:fs';
        setInterval(() => { if (existsSync(${JSON.stringify(file)})) { ${code} } }, 20).unref();`;
      const loaded = ['--import', `data:text/javascript,${encodeURIComponent(preload)}`];
      const top = new TerminalSession([process.execPath, ...loaded, executable, 'top'], {
        env: { TILLBOX_HOME: system.home },
      });
      sessions.push(top);
      return { top, provoke: () => writeFileSync(file, '') };
    }

    it('gives the terminal back when it is told to end', async () => {
      const { top, provoke } = provocable(`process.kill(process.pid, 'SIGTERM')`);
      await top.shows('LATENCY MS');
      provoke();
      expect(await top.ended).to.deep.equal({ code: 143, restored: true });
      expect(top.text).to.not.contain('LATENCY');
    });

    it('gives the terminal back when it crashes, with the error behind it', async () => {
      const { top, provoke } = provocable(`throw new Error('a bug')`);
      await top.shows('LATENCY MS');
      provoke();
      const { restored } = await top.ended;
      expect(restored).to.equal(true);
      expect(top.text).to.contain('a bug').and.not.contain('LATENCY');
    });

    it('prints a line of JSON for each measurement off a terminal, as many as wanted', async () => {
      const { stdout, stderr, code } = await system.run(['top', '--count', '3', '--interval', '0.2']);
      expect([code, stderr]).to.deep.equal([0, '']);
      const lines = stdout
        .trimEnd()
        .split('\n')
        .map((line): TopDocument => JSON.parse(line));
      expect(lines).to.have.length(3);
      expect(lines.at(-1)?.health?.gateway.ready).to.equal(true);
      expect(lines[0]?.queues.map(({ name }) => name)).to.include('payments-inbox');
      const onOne = onTerminal(['top', '--json', '--count', '1'], { columns: 40 });
      expect(await onOne.ended).to.deep.equal({ code: 0, restored: true });
      expect(onOne.raw).to.not.contain(`\u001b`);
    });

    it('ends when nobody reads any more, and with 130 when it is interrupted', async () => {
      const closed = startCommand(['top', '--interval', '0.2']);
      const closedEnd = new Promise((resolve) => closed.once('exit', resolve));
      closed.stdout.once('data', () => closed.stdout.destroy());
      expect(await closedEnd).to.equal(0);
      const interrupted = startCommand(['top', '--interval', '0.2']);
      const end = new Promise((resolve) => interrupted.once('exit', resolve));
      interrupted.stdout.once('data', () => interrupted.kill('SIGINT'));
      interrupted.stdout.resume();
      expect(await end).to.equal(130);
    });

    it('exits with 2 or 7 when the call is wrong or nothing is there', async () => {
      for (const words of [['--interval', '0'], ['--interval', 'x'], ['--count', '0'], ['extra']]) {
        expect((await system.run(['top', ...words])).code, words.join(' ')).to.equal(2);
      }
      const nowhere = 'postgres://nobody@127.0.0.1:1/nowhere';
      const { code, stdout } = await system.run(['top', '--count', '1'], { env: { DATABASE_URL: nowhere } });
      expect([code, stdout]).to.deep.equal([7, '']);
    });
  });
});
