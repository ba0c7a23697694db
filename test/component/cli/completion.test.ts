import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { eventually } from '../../support/eventually.ts';
import { TerminalSession } from '../../support/terminal-session.ts';
import { type FakeGateway, json, orderView, startFakeGateway } from './fake-gateway.ts';
import { freshHome, runTillbox } from './run-tillbox.ts';

const binFolder = fileURLToPath(new URL('../../../node_modules/.bin', import.meta.url));
const path = `${binFolder}:${dirname(process.execPath)}:${process.env['PATH']}`;

const known = '0199f0a4-5f6b-7c3e-9d2a-3b1f0c8e7d65';
const unknown = '0299f0a4-5f6b-7c3e-9d2a-3b1f0c8e7d65';

function isInstalled(shell: string): boolean {
  return spawnSync(shell, ['-c', 'true']).status === 0;
}

describe('completion', function () {
  this.timeout(60_000);
  const home = freshHome();
  let gateway: FakeGateway;
  let environment: Record<string, string>;

  before(async () => {
    const order = orderView({ id: unknown, status: 'FINISHED', description: 'two\ttickets\u001b[31m' });
    gateway = await startFakeGateway(json(200, { orders: [order], next_cursor: null }));
    mkdirSync(home.home, { recursive: true });
    const recent = { users: ['alice', 'al:b@c', 'bob'], orders: [known] };
    writeFileSync(join(home.home, 'recent.json'), JSON.stringify(recent), { mode: 0o600 });
    environment = { PATH: path, TILLBOX_HOME: home.home, TILLBOX_URL: gateway.url };
  });
  after(async () => {
    await gateway.stop();
    home.remove();
  });

  describe('asked', () => {
    const ask = async (...words: string[]) => {
      const { code, stdout, stderr } = await runTillbox(['complete', '--', ...words], environment);
      expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
      return stdout.split('\n').slice(0, -1);
    };

    it('answers values with what they are', async () => {
      expect(await ask('bal')).to.deep.equal(['balance\tPrint what is in an account.']);
    });

    it('answers the users that commands here had to do with', async () => {
      expect(await ask('balance', 'a')).to.deep.equal(['alice\t', 'al:b@c\t']);
    });

    it('answers orders from memory', async () => {
      expect(await ask('order', '01')).to.deep.equal([`${known}\t`]);
    });

    it("answers the orders of a user that was typed, nobody's control characters among them", async () => {
      const orders = [`${unknown}\tFINISHED 10.00 two\\u{9}tickets\\u{1b}[31m`];
      await eventually(async () => expect(await ask('order', 'carol')).to.deep.equal(orders), {
        withinMs: 20_000,
      });
      expect(gateway.requests.at(-1)?.path).to.contain('user_id=carol');
    });

    it('is silent whatever is wrong', async () => {
      const wrong = { ...environment, TILLBOX_URL: 'http://127.0.0.1:1', ORDERS_PORT: 'nonsense' };
      for (const words of [
        ['order', 'carol'],
        ['balance', ''],
        ['nonsense', ''],
        ['--nonsense', '-'],
      ]) {
        const { code, stdout, stderr } = await runTillbox(['complete', '--', ...words], wrong);
        expect({ code, stderr }, words.join(' ')).to.deep.equal({ code: 0, stderr: '' });
        if (words[0] !== '--nonsense') expect(stdout).to.equal('');
      }
    });
  });

  /** What bash would offer for a line. */
  function inBash(line: string): string[] {
    const script = `
      eval "$(tillbox completion bash)"
      COMP_LINE=$1 COMP_POINT=\${#1}
      _tillbox tillbox
      printf '%s\\n' "\${COMPREPLY[@]}"`;
    const options = { env: environment, encoding: 'utf8' } as const;
    return execFileSync('bash', ['--norc', '-c', script, 'bash', line], options).split('\n').filter(Boolean);
  }

  it('fits into bash: what stands behind a word break is what is replaced', () => {
    expect(inBash('tillbox bal')).to.deep.equal(['balance']);
    expect(inBash('tillbox balance ')).to.deep.equal(['alice', 'al:b@c', 'bob']);
    expect(inBash('tillbox balance al:b@')).to.deep.equal(['c']);
    expect(inBash('tillbox orders --status=FIN')).to.deep.equal(['FINISHED']);
    expect(inBash('tillbox order 0199')).to.deep.equal([known]);
    expect(inBash('tillbox dead-letters re')).to.deep.equal(['redrive']);
  });

  /** A shell at a terminal, in which a line is typed and TAB pressed, until it shows something. */
  async function typed(
    command: string[],
    load: string,
    steps: readonly (readonly [line: string, shows: string])[],
  ): Promise<void> {
    const session = new TerminalSession(command, {
      columns: 120,
      env: { ...environment, PS1: 'ready> ', HOME: home.home },
    });
    try {
      await session.shows('ready>', { withinMs: 20_000 });
      session.type(`${load}; echo load""ed\r`);
      await session.shows('loaded', { withinMs: 20_000 });
      for (const [line, shows] of steps) {
        session.type(line);
        // On a busy machine the gateway may miss the moment it has; then one presses TAB again, as here.
        await eventually(
          () => {
            session.press('tab');
            return session.shows(shows, { withinMs: 3_000 });
          },
          { withinMs: 20_000 },
        );
        session.press('ctrl-u');
      }
    } finally {
      await session.close();
    }
  }

  const steps = [
    ['tillbox dead-letters disc', 'tillbox dead-letters discard'],
    ['tillbox orders --status CAN', 'tillbox orders --status CANCELED'],
    ['tillbox balance al:', 'tillbox balance al:b@c'],
    ['tillbox order carol', `tillbox order ${unknown}`],
  ] as const;

  it('works in bash at a terminal', async () => {
    await typed(['bash', '--norc', '--noprofile', '-i'], 'eval "$(tillbox completion bash)"', steps);
  });

  it('works in zsh at a terminal', async function () {
    if (!isInstalled('zsh')) return this.skip();
    await typed(['zsh', '-f', '-i'], 'PS1="ready> "; eval "$(tillbox completion zsh)"', [
      ...steps.slice(0, 2),
      ['tillbox balance al\\:', 'tillbox balance al:b@c'],
      ...steps.slice(3),
    ]);
  });

  it('works in fish', function () {
    if (!isInstalled('fish')) return this.skip();
    const offers = (line: string) => {
      const script = `tillbox completion fish | source; complete -C '${line}'`;
      const options = { env: { ...environment, HOME: home.home }, encoding: 'utf8' } as const;
      return execFileSync('fish', ['--no-config', '-c', script], options).split('\n').filter(Boolean);
    };
    expect(offers('tillbox bal')).to.deep.equal(['balance\tPrint what is in an account.']);
    expect(offers('tillbox balance al').map((line) => line.trim())).to.include.members(['alice', 'al:b@c']);
    expect(offers('tillbox order 0199').map((line) => line.trim())).to.deep.equal([known]);
  });
});
