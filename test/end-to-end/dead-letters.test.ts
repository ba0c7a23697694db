import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import type { DeadLetterView } from '../../src/tools/dead-letter-view.ts';
import { databaseVariables } from '../support/database-variables.ts';
import { useDatabases } from '../support/databases.ts';
import { runTillbox } from '../support/running-system.ts';

const executable = fileURLToPath(new URL('../../dist/bin/tillbox.js', import.meta.url));
const absent = '0199f0a4-5f6b-7c3e-9d2a-3b1f0c8e7d65';

describe('end to end: dead-letters and queues', function () {
  this.timeout(60_000);
  const databases = useDatabases();
  const home = mkdtempSync(join(tmpdir(), 'tillbox-test-'));
  after(() => rmSync(home, { recursive: true, force: true }));
  beforeEach(() => databases.sql('broker', 'delete from broker.job'));

  function environment(): Record<string, string> {
    return { ...databaseVariables(databases.adminUrls), TILLBOX_LOG_LEVEL: 'warn' };
  }

  const run = (...args: string[]) => runTillbox(args, { home, env: environment() });

  async function put(message: unknown, reason: string): Promise<string> {
    const rows = await databases.sql<{ id: string }>(
      'broker',
      `insert into broker.job (name, data) values ('payment-requests-dead-letters', $1::jsonb) returning id`,
      [
        JSON.stringify({
          messages: [message],
          dead_letter: { reason, detail: 'because', queue: 'payment-requests' },
        }),
      ],
    );
    return rows[0]?.id ?? '';
  }

  async function list(...args: string[]): Promise<DeadLetterView[]> {
    const { stdout } = await run('dead-letters', 'list', '--json', ...args);
    return JSON.parse(stdout).dead_letters;
  }

  it('lists, shows, redrives and discards', async () => {
    const [first, second] = [
      await put({ type: 'x', subject: absent, evil: '\u001b[2J\u202e' }, 'unknown-type'),
      await put({}, 'invalid-message'),
    ];
    expect((await list()).map(({ id, order_id }) => [id, order_id])).to.deep.equal([
      [first, absent],
      [second, null],
    ]);
    const shown = await run('dead-letters', 'show', first);
    expect(shown.stdout).to.contain('"evil": "\\u001b[2J\\u202e"').and.not.contain('\u001b');
    expect(await run('dead-letters', 'redrive', first)).to.include({ code: 0 });
    const again = await run('dead-letters', 'redrive', first, '--json');
    expect(again.code).to.equal(0);
    expect(JSON.parse(again.stdout).counts).to.deep.equal({ 'already-redriven': 1 });
    const discarded = await run('dead-letters', 'discard', second, '--why', 'a test sent it', '--who', 'eve');
    expect(discarded.code).to.equal(0);
    expect(await list()).to.deep.equal([]);
    const [letter] = await list('--discarded');
    expect(letter?.discarded).to.deep.include({ who: 'eve', why: 'a test sent it' });
    expect((await run('dead-letters', 'list', '--discarded')).stdout).to.match(/eve +a test sent it/);
  });

  it('does nothing in a dry run, and without a terminal nothing to many unless told --yes', async () => {
    await put({}, 'unknown-type');
    await put({}, 'invalid-message');
    const dry = await run('dead-letters', 'redrive', '--all', '--dry-run', '--json');
    expect(JSON.parse(dry.stdout)).to.deep.include({ dry_run: true, counts: { ready: 2 } });
    const refused = await run('dead-letters', 'redrive', '--reason', 'unknown-type');
    expect(refused).to.include({ code: 2, stdout: '' });
    expect(refused.stderr).to.contain('--yes');
    expect(await list()).to.have.length(2);
    expect((await run('dead-letters', 'redrive', '--reason', 'unknown-type', '--yes')).code).to.equal(0);
    expect((await list()).map(({ reason }) => reason)).to.deep.equal(['invalid-message']);
  });

  it('exits with 2, 5 or 6 when the call is wrong, an id not there or dealt with otherwise', async () => {
    const id = await put({}, 'unknown-type');
    expect((await run('dead-letters', 'discard', id)).stderr).to.contain('--why');
    const wrong = [
      ['redrive'],
      ['redrive', id, '--all'],
      ['redrive', 'no-id'],
      ['redrive', id, '--queue', 'payment-requests'],
      ['discard', '--all', '--yes'],
      ['list', '--reason', 'none-such'],
      ['list', '--queue', 'none-such'],
      ['list', '--limit', '0'],
      ['explode'],
      ['show'],
    ];
    for (const args of wrong) {
      expect((await run('dead-letters', ...args)).code, args.join(' ')).to.equal(2);
    }
    expect((await run('dead-letters', 'show', absent)).code).to.equal(5);
    const partly = await run('dead-letters', 'redrive', absent, id, '--json');
    expect(partly.code).to.equal(5);
    expect(JSON.parse(partly.stdout).counts).to.deep.equal({ 'not-found': 1, redriven: 1 });
    expect(JSON.parse(partly.stderr)).to.include({ code: 'dead-letter-not-found' });
    expect((await run('dead-letters', 'discard', id, '--why', 'late')).code).to.equal(6);
  });

  it('shows the queues, and a database that is away as such', async () => {
    await put({}, 'unknown-type');
    const { stdout, code } = await run('queues');
    expect(code).to.equal(0);
    expect(stdout)
      .to.match(/payment-requests-dead-letters +1 /)
      .and.contain('1 dead letter: tillbox dead-letters list');
    const env = { ...environment(), PAYMENTS_DATABASE_URL: 'postgres://nobody@127.0.0.1:1/nowhere' };
    expect((await runTillbox(['queues'], { home, env })).code).to.equal(7);
  });

  it('watches the queues, a line each second, until it is interrupted', async () => {
    const watching = spawn(process.execPath, [executable, 'queues', '--watch', '--json'], {
      env: { ...process.env, ...environment(), TILLBOX_HOME: home },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = new Promise<number | null>((resolve) => watching.once('exit', resolve));
    let text = '';
    for await (const chunk of watching.stdout.setEncoding('utf8')) {
      text += chunk;
      if (text.trimEnd().split('\n').length === 2) watching.kill('SIGINT');
    }
    expect(await ended).to.equal(130);
    for (const line of text.trimEnd().split('\n')) expect(JSON.parse(line).queues).to.have.length(7);
  });
});
