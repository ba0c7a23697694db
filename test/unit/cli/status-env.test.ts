import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import { environmentOf } from '../../../src/cli/status-env.ts';

const secret = "postgres://admin:it's%24HOME@127.0.0.1:5432/shop";
const open = 'postgres://127.0.0.1:5432/shop';

/** What a shell has in a variable after it evaluated the lines. */
function evaluated(exports: string, variable: string): string {
  return execFileSync('sh', ['-c', `eval $1; printf %s "$${variable}"`, 'sh', exports], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] ?? '' },
  });
}

describe('status for eval', () => {
  it('exports what a shell reads back exactly, quoted or not', () => {
    const { exports } = environmentOf(
      'http://127.0.0.1:1',
      { orders: secret, payments: open, broker: open },
      true,
    );
    expect(evaluated(exports, 'TILLBOX_URL')).to.equal('http://127.0.0.1:1');
    expect(evaluated(exports, 'ORDERS_DATABASE_URL')).to.equal(secret);
    expect(evaluated(exports, 'BROKER_DATABASE_URL')).to.equal(open);
  });

  it('leaves out what holds a password, unless secrets are wanted', () => {
    const databases = { orders: secret, payments: open, broker: `${open}?password=x` };
    const { exports, leftOut } = environmentOf('http://127.0.0.1:1', databases, false);
    expect(exports).not.to.contain('it').and.not.to.contain('password');
    expect(leftOut).to.deep.equal(['ORDERS_DATABASE_URL', 'BROKER_DATABASE_URL']);
    expect(evaluated(exports, 'PAYMENTS_DATABASE_URL')).to.equal(open);
  });

  it('exports no database that nobody knows', () => {
    const none = { orders: undefined, payments: undefined, broker: undefined };
    expect(environmentOf('http://x', none, true).exports).to.equal("export TILLBOX_URL='http://x';");
  });
});
