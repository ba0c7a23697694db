import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { eventually } from '../support/eventually.ts';
import { anyPorts, runTillbox, useSystem } from '../support/running-system.ts';
import { type TerminalOptions, TerminalSession } from '../support/terminal-session.ts';

/** tillbox without a command, as a person at a terminal meets it. */
describe('an interactive session', function () {
  this.timeout(60_000);
  const system = useSystem();
  const homes: string[] = [];
  let session: TerminalSession;

  /** A session that has seen nobody yet. */
  function start(options: TerminalOptions & { words?: string[] } = {}): TerminalSession {
    const home = mkdtempSync(join(tmpdir(), 'tillbox-session-'));
    homes.push(home);
    const env = { TILLBOX_HOME: home, TILLBOX_URL: system.url, ...options.env };
    session = TerminalSession.tillbox(options.words ?? [], { rows: 40, ...options, env });
    return session;
  }

  afterEach(async () => {
    await session?.close();
    for (const home of homes.splice(0)) rmSync(home, { recursive: true, force: true });
  });

  async function enterAs(user: string): Promise<void> {
    await session.shows('User id');
    session.type(`${user}\r`);
    await session.shows(/has no account\.\s+Create\s+it\?/);
    session.press('enter');
    await session.shows(`${user} (balance 0.00)`);
  }

  /** Takes what a search has found. While it still searches it hears no Enter. */
  async function chooseFound(choice: string | RegExp): Promise<void> {
    await session.shows(choice);
    await eventually(async () => {
      session.press('enter');
      await session.hides(choice, { withinMs: 500 });
    });
  }

  it('creates a user, tops up, orders, watches, lists and looks, and teaches the commands', async () => {
    const user = `user-${randomUUID().slice(0, 8)}`;
    const { ended } = start();
    await enterAs(user);
    expect(session.text).to.contain(`tillbox create-account ${user}`);
    // An empty account is topped up first.
    await session.shows('❯ Top up');
    session.press('enter');
    await session.shows('Amount');
    session.press('enter');
    await session.shows('(balance 100.00)');
    expect(session.text).to.contain(`tillbox topup ${user} 100.00`);
    session.press('up', 'enter');
    await session.shows('(10.00)');
    session.type('49.90\r');
    await session.shows('Description');
    session.type('two tickets\r');
    await session.shows('(balance 50.10)');
    expect(session.text).to.contain('✓ settled').and.to.contain('FINISHED');
    expect(session.text).to.contain(`tillbox create-order ${user} 49.90 'two tickets' --wait`);
    session.press('down', 'down', 'enter');
    await session.shows('Show only some (now: all)');
    expect(session.text).to.contain(`tillbox orders ${user} --limit`);
    session.press('enter');
    await session.shows('Order (type to search)');
    session.type('tick');
    await chooseFound(/❯ 49\.90 +FINISHED/);
    await session.shows('Back');
    expect(session.text).to.match(/tillbox order [0-9a-f-]{36}/);
    session.press('down', 'down', 'enter');
    await session.shows('❯ List orders');
    session.press('down', 'down', 'enter');
    await session.shows('? Order (type to search)');
    await chooseFound(/❯ 49\.90/);
    await session.shows('❯ Watch an order');
    expect(session.text).to.contain('FINISHED after').and.to.contain('--watch');
    session.press('down', 'enter');
    await session.shows('BALANCE');
    await session.shows('❯ Statement');
    expect(session.text).to.contain(`tillbox statement ${user}`);
    session.press('down', 'down', 'enter');
    expect(await ended).to.deep.equal({ code: 0, restored: true });
    expect(session.text).not.to.contain('Warning');
  });

  it('pages through orders, and filters them', async () => {
    const user = `user-${randomUUID().slice(0, 8)}`;
    for (let order = 0; order < 7; order += 1) {
      const { body } = await system.post<{ id: string }>(
        '/orders',
        { user_id: user, amount: 1 },
        { prefer: 'wait=20' },
      );
      expect(body.id).to.be.a('string');
    }
    start({ rows: 14 });
    await session.shows('User id');
    session.type(`${user}\r`);
    await session.shows('Create it?');
    session.type('n\r');
    await session.shows(`${user} (no account)`);
    session.type('list');
    await session.shows('❯ List orders');
    session.press('enter');
    await session.shows('❯ Next page');
    session.press('enter');
    await session.shows('❯ First page');
    expect(session.text).to.match(/--limit 5 --cursor \S+/);
    session.press('down', 'down', 'enter');
    await session.shows('❯ All');
    session.press('down', 'down', 'enter');
    await session.shows(`User ${user} has no FINISHED orders.`);
    // The command that does the same comes after the answer.
    await eventually(() => expect(session.text).to.contain('--status FINISHED'));
  });

  it('offers whom it has seen, to search in or not', async () => {
    start();
    const seen = ['anna', 'bert', 'berta'];
    for (const user of seen)
      await runTillbox(['create-account', user], { home: homes[0] ?? '', env: { TILLBOX_URL: system.url } });
    session.press('ctrl-c');
    await session.ended;
    session = TerminalSession.tillbox([], { env: { TILLBOX_HOME: homes[0] ?? '', TILLBOX_URL: system.url } });
    await session.shows('anna');
    session.type('ber');
    await session.hides('anna');
    await chooseFound('❯ berta');
    await session.shows('berta (balance');
  });

  it('leaves with Ctrl-D well and with Ctrl-C interrupted, at every kind of question', async () => {
    for (const [key, code] of [
      ['ctrl-d', 0],
      ['ctrl-c', 130],
    ] as const) {
      const user = `user-${randomUUID().slice(0, 8)}`;
      const questions: [string, () => void][] = [
        ['User id', () => session.type(`${user}\r`)],
        ['Create it?', () => session.press('enter')],
        ['❯ Top up', () => session.press('enter')],
      ];
      for (const at of questions.keys()) {
        start();
        for (const [text, answer] of questions.slice(0, at)) {
          await session.shows(text);
          answer();
        }
        await session.shows(questions[at]?.[0] ?? '');
        session.press(key);
        expect(await session.ended, `${key} at ${questions[at]?.[0]}`).to.deep.equal({
          code,
          restored: true,
        });
        expect(session.text).not.to.match(/\n\s+at |Error/);
        await session.close();
      }
    }
  });

  it('has no colours with NO_COLOR, and fits 40 columns', async () => {
    start({ columns: 40, env: { NO_COLOR: '1' } });
    await enterAs(`u-${randomUUID().slice(0, 8)}`);
    // Moving the cursor is no colour.
    expect(session.raw).not.to.match(/\u001b\[[0-9;]*m/);
  });

  it('goes on when the gateway refuses, and tells why', async () => {
    start();
    await enterAs(`user-${randomUUID().slice(0, 8)}`);
    session.press('enter');
    await session.shows('Amount');
    session.type('0\r');
    await session.shows('It must be');
    session.press('ctrl-u');
    session.type('1000000000\r');
    await session.shows('(balance 1000000000.00)');
  });

  describe('where no gateway answers', () => {
    it('offers to start one, and does', async function () {
      this.timeout(120_000);
      start({ env: { ...anyPorts, TILLBOX_URL: '' } });
      try {
        await session.shows('Start Postgres, gateway and services here?');
        session.press('enter');
        await session.shows('User id', { withinMs: 90_000 });
        expect(session.text).to.contain('tillbox up --detach').and.to.contain('tillbox is up at');
        session.press('ctrl-d');
        expect(await session.ended).to.deep.equal({ code: 0, restored: true });
      } finally {
        await runTillbox(['down', '--wipe'], { home: homes[0] ?? '' });
      }
    });

    it('says how to start one to who does not want to, and exits 7', async () => {
      start({ env: { ...anyPorts, TILLBOX_URL: '' } });
      await session.shows('Start Postgres, gateway and services here?');
      session.type('n\r');
      expect(await session.ended).to.deep.equal({ code: 7, restored: true });
      expect(session.text).to.contain('tillbox up');
    });

    it('starts none in place of one that was named', async () => {
      start({ env: { TILLBOX_URL: 'http://127.0.0.1:1' } });
      expect(await session.ended).to.deep.equal({ code: 7, restored: true });
      expect(session.text).to.contain('TILLBOX_URL');
    });
  });

  it('is the help for who wants none', async () => {
    start({ words: ['--no-input'] });
    expect(await session.ended).to.deep.equal({ code: 0, restored: true });
    expect(session.text).to.contain('Usage: tillbox COMMAND');
  });
});
