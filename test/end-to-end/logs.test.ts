import { expect } from 'chai';
import { RunningSystem } from '../support/running-system.ts';

describe('the log of a running system', function () {
  this.timeout(90_000);
  const system = new RunningSystem();
  before(() => system.start());
  after(() => system.stop());

  it('is for people, under the name of each daemon, and says when they are ready', () => {
    for (const name of ['orders', 'payments'])
      expect(system.output).to.match(new RegExp(`^${name} +│ \\d\\d:\\d\\d:\\d\\d ready$`, 'm'));
    expect(system.output).to.match(/^gateway {4}│ \d\d:\d\d:\d\d listening {2}url=http/m);
    expect(system.output).not.to.contain('{"level"');
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
