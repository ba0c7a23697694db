import { expect } from 'chai';
import { type TerminalOptions, TerminalSession } from '../../support/terminal-session.ts';

/** The support of the tests on a terminal, itself tried: what it says of a terminal must be so. */
describe('a session on a terminal', () => {
  let session: TerminalSession | undefined;
  const run = (text: string, options: TerminalOptions = {}) => {
    session = new TerminalSession(['sh', '-c', text], options);
    return session;
  };
  afterEach(() => session?.close());

  it('has the size that was asked for, and another one once it is resized', async () => {
    const { ended } = run('stty size; read line; stty size', { columns: 40, rows: 10 });
    await session?.shows('10 40');
    session?.resize(120, 30);
    session?.press('enter');
    await session?.shows('30 120');
    expect(await ended).to.deep.equal({ code: 0, restored: true });
  });

  it('types, and reads the screen and what has left it', async () => {
    const { ended } = run('read line; seq 1 50; echo "got $line"; exit 3', { rows: 10 });
    session?.type('hello\r');
    expect(await ended).to.deep.equal({ code: 3, restored: true });
    expect(session?.screen).to.include('got hello').and.not.to.include('1');
    expect(session?.text.split('\n')).to.include('1').and.to.include('got hello');
  });

  it('interrupts with Ctrl-C', async () => {
    const { ended } = run("trap 'exit 130' INT; echo ready; while :; do sleep 0.05; done");
    await session?.shows('ready');
    session?.press('ctrl-c');
    expect((await ended).code).to.equal(130);
  });

  for (const [what, text] of [
    ['without echo', 'stty -echo'],
    ['without a cursor', "printf '\\033[?25l'"],
    ['on the other screen', "printf '\\033[?1049h'"],
    ['with the mouse on', "printf '\\033[?1000h'"],
  ] as const) {
    it(`notices a terminal that is left ${what}`, async () => {
      expect((await run(text).ended).restored).to.equal(false);
    });
  }
});
