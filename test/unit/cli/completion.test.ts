import { expect } from 'chai';
import { wantedAt } from '../../../src/cli/completion/wanted.ts';
import { createProgram } from '../../../src/cli/program.ts';
import { commandsOf } from '../../../src/cli/reference.ts';

const topics = ['environment', 'exit-codes'];

/** The values offered for the words behind `tillbox`; a string says what ids are wanted. */
function offered(...words: string[]): string[] | string {
  const wanted = wantedAt(createProgram(), words, topics);
  return wanted.kind === 'these' ? wanted.candidates.map(({ value }) => value) : wanted.kind;
}

describe('what a shell is offered', () => {
  it('is commands first, and none that help hides', () => {
    expect(offered('')).to.include.members(['up', 'create-order', 'doctor', 'completion', 'help']);
    expect(offered('')).not.to.include('complete');
    expect(offered('--json', '')).to.include('orders');
  });

  it('is the commands of a group', () => {
    expect(offered('dead-letters', '')).to.deep.equal(['list', 'show', 'redrive', 'discard']);
  });

  it('is users where a user is wanted, and nothing where an amount or a text is', () => {
    for (const command of ['create-account', 'topup', 'balance', 'statement', 'create-order', 'orders']) {
      expect(offered(command, 'al'), command).to.equal('user-id');
    }
    expect(offered('topup', 'alice', '')).to.deep.equal([]);
    expect(offered('create-order', 'alice', '5', 'two', '')).to.deep.equal([]);
  });

  it('is orders where an order is wanted, and none for a dead letter', () => {
    expect(offered('order', '')).to.equal('order-id');
    expect(offered('order', '--watch', '')).to.equal('order-id');
    expect(offered('dead-letters', 'show', '')).to.deep.equal([]);
  });

  it('is the options of the command at hand', () => {
    expect(offered('orders', '-')).to.include.members(['--status', '--limit', '--json', '--help']);
    expect(offered('orders', 'alice', '--st')).to.include('--status');
    expect(offered('balance', '--')).not.to.include('--status');
    expect(offered('create-order', 'alice', '5', '--', '--')).to.deep.equal([]);
  });

  it('is the values of an option, behind it or behind its =', () => {
    expect(offered('orders', '--status', '')).to.deep.equal(['NEW', 'FINISHED', 'CANCELED']);
    expect(offered('orders', '--status=')).to.include('--status=FINISHED');
    expect(offered('status', '-o', '')).to.deep.equal(['text', 'json', 'env']);
    expect(offered('up', '--instances', 'orders=2', '')).to.include('payments=');
    expect(offered('orders', '--limit', '5', '')).to.equal('user-id');
    // --wait takes its value behind a = only.
    expect(offered('create-order', '--wait', '')).to.equal('user-id');
  });

  it('is the choices of an argument', () => {
    expect(offered('serve', '')).to.deep.equal(['gateway', 'orders', 'payments']);
    expect(offered('completion', '')).to.deep.equal(['bash', 'zsh', 'fish']);
  });

  it('is commands and topics for help', () => {
    expect(offered('help', '')).to.include.members(['create-order', 'exit-codes']);
    expect(offered('help', 'orders', '')).to.deep.equal([]);
  });

  it('is nothing, and never an error, for nonsense', () => {
    for (const words of [['nonsense', ''], ['balance', 'a', 'b', 'c'], ['--nonsense', ''], ['', ''], []]) {
      expect(() => offered(...words)).not.to.throw();
    }
  });

  it('belongs to options that exist', () => {
    for (const command of commandsOf(createProgram())) {
      const options = command.options.map(({ long }) => long);
      expect(options, command.fullName).to.include.members([...command.suggestions.keys()]);
    }
  });
});
