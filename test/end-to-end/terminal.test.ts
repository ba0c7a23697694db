import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { eventually } from '../support/eventually.ts';
import { useSystem } from '../support/running-system.ts';
import { startStreamBreaker } from '../support/stream-breaker.ts';
import { type TerminalOptions, TerminalSession } from '../support/terminal-session.ts';

/** What commands print for a person at a terminal, read back from its screen. */
describe('on a terminal', function () {
  this.timeout(60_000);
  const system = useSystem();
  /** Has three orders, and so it stays. */
  const user = `user-${randomUUID()}`;
  const payer = `user-${randomUUID()}`;
  const hostile =
    '\u001b[2J\u001b]0;x\u0007\u202edlrow\u202c 日本語 🎫 e\u0301 שלום\r\nnext\t\u009bm and on and on';
  let session: TerminalSession;

  before(async () => {
    await system.json(['create-account', user]);
    await system.json(['topup', user, '1000000']);
    await system.json(['create-account', payer]);
    await system.json(['topup', payer, '1000']);
    for (const amount of ['1', '22.50', '100000']) {
      const order = { user_id: user, amount, description: hostile };
      expect((await system.post('/orders', order, { prefer: 'wait=20' })).status).to.equal(201);
    }
  });
  afterEach(() => session?.close());

  function start(words: string[], options: TerminalOptions = {}): TerminalSession {
    const env = { TILLBOX_HOME: system.home, ...options.env };
    session = TerminalSession.tillbox(words, { ...options, env });
    return session;
  }

  const stepsLine = '✓ created  ✓ published  ✓ received  ✓ decided  ✓ published  ✓ settled';
  const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/;

  for (const columns of [40, 80, 200]) {
    describe(`${columns} columns wide`, () => {
      it('lists orders and entries without breaking or cutting an id, amounts in line', async () => {
        for (const [words, count] of [
          [['orders', user], 3],
          [['statement', user], 4],
        ] as const) {
          expect(await start([...words], { columns }).ended).to.deep.equal({ code: 0, restored: true });
          const lines = session.screen.filter((line) => line !== '');
          expect(
            lines.filter((line) => uuid.test(line)),
            words[0],
          ).to.have.length(count);
          // Nothing was wrapped: what was printed is what the lines show.
          expect(session.text.split('\n')).to.deep.equal(lines);
          const points = lines.flatMap((line) => line.match(/^.*?\d\.\d\d(?= |$)/)?.[0].length ?? []);
          // The narrowest have the balances of a statement below its amounts.
          expect(new Set(points).size, lines.join('\n')).to.equal(columns === 40 && count === 4 ? 2 : 1);
          expect(session.text).not.to.contain('\u202e');
          await session.close();
        }
      });

      it('shows an order, its id whole', async () => {
        const { orders } = await system.json<{ orders: { id: string }[] }>(['orders', user]);
        const id = orders[0]?.id ?? '';
        expect((await start(['order', id], { columns }).ended).code).to.equal(0);
        expect(session.screen.filter((line) => line.endsWith(id))).to.have.length(1);
        expect(session.text).to.contain('\\u{1b}[2J').and.to.contain('\\u{202e}');
      });

      it('moves through the steps of an order to its end', async () => {
        const { ended } = start(['create-order', payer, '1', '--wait'], { columns });
        expect(await ended).to.deep.equal({ code: 0, restored: true });
        const [line] = session.screen;
        if (columns === 40) expect(line).to.match(/^6\/6 settled {2}\d+(\.\d)? m?s$/);
        else expect(line).to.match(new RegExp(`^${stepsLine}  \\d+(\\.\\d)? m?s$`));
        expect(session.text).to.contain('FINISHED');
      });
    });
  }

  it('watches an order that waits, and ends with the verdict and the time taken', async () => {
    const payments = system.runtime.payments[0]?.pid as number;
    process.kill(payments, 'SIGSTOP');
    try {
      const { id } = await system.json<{ id: string }>(['create-order', payer, '3']);
      const { ended } = start(['order', id, '--watch']);
      await session.shows('✓ created  ✓ published  … received  · decided  · published  · settled');
      await session.shows(`See where it stands: tillbox trace ${id}`);
      process.kill(payments, 'SIGCONT');
      expect(await ended).to.deep.equal({ code: 0, restored: true });
      const lines = session.screen.filter((text) => text !== '');
      expect(lines[0]).to.equal(`See where it stands: tillbox trace ${id}`);
      expect(lines[1]).to.contain(stepsLine);
      expect(lines[2]).to.match(/^FINISHED after \d+(\.\d)? m?s$/);
      expect(session.raw).to.contain('\u001b[32m');
    } finally {
      process.kill(payments, 'SIGCONT');
    }
  });

  for (const fault of ['refused', 'held', 'cut'] as const) {
    it(`watches by asking again where event streams are ${fault} on their way`, async () => {
      // One each, so that each is known to have met the fault.
      const proxies = [
        await startStreamBreaker(system.url, fault),
        await startStreamBreaker(system.url, fault),
      ] as const;
      const payments = system.runtime.payments[0]?.pid as number;
      process.kill(payments, 'SIGSTOP');
      try {
        const { id } = await system.json<{ id: string }>(['create-order', payer, '3']);
        const [shown, read] = proxies.map(({ url }) => ({ env: { TILLBOX_URL: url } }));
        const { ended } = start(['order', id, '--watch'], shown);
        const piped = system.run(['order', id, '--watch', '--json'], read);
        await session.shows('✓ created');
        // Both have met the fault by then, and look again and again: who asks twice has seen the first answer.
        await eventually(() => {
          for (const { streams, reads } of proxies) {
            expect(streams).to.be.at.least(1);
            expect(reads).to.be.at.least(2);
          }
        });
        process.kill(payments, 'SIGCONT');
        expect(await ended).to.deep.equal({ code: 0, restored: true });
        expect(session.text)
          .to.contain(stepsLine)
          .and.to.match(/^FINISHED after/m);
        const { code, stdout } = await piped;
        const statuses = stdout
          .trimEnd()
          .split('\n')
          .map((line) => JSON.parse(line).status);
        expect({ code, statuses }).to.deep.equal({ code: 0, statuses: ['NEW', 'FINISHED'] });
      } finally {
        process.kill(payments, 'SIGCONT');
        await Promise.all(proxies.map((proxy) => proxy.stop()));
      }
    });
  }

  it('says that an order goes on when it is no longer waited for, on a line of its own', async () => {
    const payments = system.runtime.payments[0]?.pid as number;
    process.kill(payments, 'SIGSTOP');
    try {
      const { ended } = start(['create-order', payer, '3', '--wait']);
      await session.shows('… received');
      session.press('ctrl-c');
      expect(await ended).to.deep.equal({ code: 130, restored: true });
      expect(session.text.split('\n')).to.satisfy((lines: string[]) =>
        lines.some((line) => line.startsWith('The order goes on.')),
      );
    } finally {
      process.kill(payments, 'SIGCONT');
    }
  });

  it('moves nothing and colours nothing with --json, and no colour with NO_COLOR', async () => {
    await start(['create-order', payer, '1', '--wait', '--json']).ended;
    expect(session.raw).not.to.contain('\u001b');
    expect(JSON.parse(session.text)).to.include({ status: 'FINISHED' });
    await session.close();
    await start(['create-order', payer, '1', '--wait'], { env: { NO_COLOR: '1' } }).ended;
    expect(session.raw).not.to.match(/\u001b\[[0-9;]*m/);
  });

  it('prints the same JSON at every width', async () => {
    const texts = new Set<string>();
    for (const columns of [40, 80, 200]) {
      await start(['orders', user, '--json', '--limit', '2'], { columns, rows: 60 }).ended;
      texts.add(session.text);
      await session.close();
    }
    expect(texts.size).to.equal(1);
  });

  describe('a list longer than the screen', () => {
    const list = ['statement', user];

    it('goes into the pager of the user', async () => {
      start(list, { rows: 8, env: { PAGER: 'sed s/^/paged:/' } });
      expect(await session.ended).to.deep.equal({ code: 0, restored: true });
      expect(session.text).to.match(/^paged:SEQ/);
    });

    it('tells the pager no secret', async () => {
      start(list, {
        rows: 8,
        env: { PAGER: 'env | grep -c ^PGPASSWORD', PGPASSWORD: 'x' },
      });
      await session.ended;
      expect(session.text.trim()).to.equal('0');
    });

    it('is left with a key, and Ctrl-C is the pager’s', async () => {
      start(list, { rows: 8, env: { PAGER: 'trap "" INT; cat; echo at the end; read key < /dev/tty' } });
      await session.shows('at the end');
      session.press('ctrl-c');
      session.type('q\r');
      expect(await session.ended).to.deep.equal({ code: 0, restored: true });
    });

    for (const [what, words, env] of [
      ['--no-pager', ['--no-pager'], { PAGER: 'sed s/^/paged:/' }],
      ['an empty PAGER', [], { PAGER: '' }],
      ['a PAGER that is not there', [], { PAGER: 'no-such-pager 2> /dev/null' }],
      ['--no-input', ['--no-input'], { PAGER: 'sed s/^/paged:/' }],
    ] as const) {
      it(`is printed as it is with ${what}`, async () => {
        start([...list, ...words], { rows: 8, env });
        expect(await session.ended).to.deep.equal({ code: 0, restored: true });
        expect(session.text).to.match(/^SEQ/);
      });
    }

    it('is no matter for a pager when it is short', async () => {
      start(list, { rows: 60, env: { PAGER: 'sed s/^/paged:/' } });
      await session.ended;
      expect(session.text).to.match(/^SEQ/);
    });
  });
});
