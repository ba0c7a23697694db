import { expect } from 'chai';
import { freshHome } from '../component/cli/run-tillbox.ts';
import { databaseVariables } from '../support/database-variables.ts';
import { anyPorts, RunningSystem } from '../support/running-system.ts';
import { TerminalSession } from '../support/terminal-session.ts';
import { testServer } from '../support/test-server.ts';

describe('the log of a running system', function () {
  this.timeout(90_000);
  const system = new RunningSystem();
  before(() => system.start());
  after(() => system.stop());

  it('is off a terminal the lines of the daemons as they are, and says when they are ready', () => {
    for (const name of ['gateway', 'orders', 'payments']) {
      const own = system.log.filter(({ service }) => service === name);
      expect(own.map(({ msg }) => msg)).to.include(name === 'gateway' ? 'listening' : 'ready');
      for (const record of own) expect(record).to.include.keys('level', 'time', 'instance', 'pid');
    }
    expect(system.output).not.to.contain('│');
  });

  it('is on a terminal for people, under the name of each daemon', async () => {
    const { home, remove } = freshHome();
    const env = { ...databaseVariables((await testServer()).urls), ...anyPorts, TILLBOX_HOME: home };
    const session = TerminalSession.tillbox(['up', '--ephemeral'], { columns: 160, rows: 60, env });
    try {
      await session.shows('tillbox is up', { withinMs: 60_000 });
      for (const [name, what] of [
        ['orders', 'ready'],
        ['payments', 'ready'],
        ['gateway', 'listening'],
      ])
        expect(session.text).to.match(new RegExp(`^${name} +│ \\d\\d:\\d\\d:\\d\\d ${what}`, 'm'));
      expect(session.text).not.to.contain('{"level"');
      session.press('ctrl-c');
      expect(await session.ended).to.deep.equal({ code: 130, restored: true });
    } finally {
      await session.close();
      remove();
    }
  });

  it('says nothing of orders that go well, of refusals that are the client’s, and of rest', async () => {
    const before = system.output;
    await system.json(['create-account', 'anna']);
    await system.json(['topup', 'anna', '10']);
    expect((await system.run(['create-order', 'anna', '5', '--wait'])).code).to.equal(0);
    expect((await system.run(['create-order', 'anna', '50', '--wait'])).code).to.equal(3);
    expect((await system.run(['balance', 'nobody'])).code).to.equal(5);
    expect(system.output.slice(before.length)).to.equal('');
  });
});
