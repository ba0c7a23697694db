import { expect } from 'chai';
import { runTillbox, startTillbox } from './run-tillbox.ts';

describe('the frame of the command line', () => {
  it('prints its version', async () => {
    const { code, stdout } = await runTillbox(['--version']);
    expect(code).to.equal(0);
    expect(stdout).to.match(/^\d+\.\d+\.\d+\n$/);
  });

  it('prints help on stdout and exits 0', async () => {
    for (const words of [[], ['--no-input'], ['--help'], ['help'], ['help', 'topup'], ['topup', '--help']]) {
      const { code, stdout, stderr } = await runTillbox(words);
      expect({ code, stderr }, words.join(' ')).to.deep.equal({ code: 0, stderr: '' });
      expect(stdout).to.match(/^Usage: tillbox /);
    }
  });

  it('ends quietly when nobody reads it', async () => {
    const { child, ended } = startTillbox(['--help']);
    child.stdout.destroy();
    const { code, stderr } = await ended;
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
  });

  it('has a page on the environment and one on exit codes', async () => {
    expect((await runTillbox(['help', 'environment'])).stdout).to.contain('TILLBOX_URL');
    expect((await runTillbox(['help', 'exit-codes'])).stdout).to.contain('124  the wait timed out');
    expect((await runTillbox(['help', 'nonsense'])).code).to.equal(2);
  });

  it('names every wrong variable at once', async () => {
    const { code, stderr } = await runTillbox(['balance', 'alice'], { TILLBOX_URL: 'x', ORDERS_PORT: 'y' });
    expect(code).to.equal(2);
    expect(stderr).to.contain('TILLBOX_URL').and.to.contain('ORDERS_PORT');
  });

  for (const [words, meant, next] of [
    [['blance', 'alice'], 'balance', 'See tillbox --help.'],
    [['orders', 'alice', '--staus', 'NEW'], '--status', 'See tillbox orders --help.'],
    [['dead-letters', 'redirve'], 'redrive', 'See tillbox dead-letters --help.'],
    [['help', 'exit-code'], 'exit-codes', 'See tillbox help --help.'],
    [['help', 'dead-letters', 'lst'], 'list', 'See tillbox help --help.'],
  ] as const) {
    it(`guesses what was meant by ${words.join(' ')}, and says where to read on`, async () => {
      const { code, stdout, stderr } = await runTillbox(words);
      expect({ code, stdout }).to.deep.equal({ code: 2, stdout: '' });
      expect(stderr).to.contain(`(Did you mean ${meant}?)`).and.to.contain(next);
    });
  }

  for (const words of [
    ['completion', 'bash'],
    ['help', 'environment'],
    ['complete', '--', ''],
  ]) {
    it(`ends ${words.join(' ')} quietly when nobody reads it`, async () => {
      const { child, ended } = startTillbox(words);
      child.stdout.destroy();
      const { code, stderr } = await ended;
      expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
    });
  }
});
