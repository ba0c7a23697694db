import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { forgetRecent, readRecent, remember } from '../../../src/cli/recent.ts';

const orderId = (number: number) => `0199f0a4-5f6b-7c3e-9d2a-${String(number).padStart(12, '0')}`;
const nothing = { users: [], orders: [] };

describe('what commands had to do with lately', () => {
  let folder: string;
  let home: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tillbox-recent-'));
    home = join(folder, 'home');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('is nothing in a home that is not there', () => {
    expect(readRecent(home)).to.deep.equal(nothing);
    expect(existsSync(home)).to.equal(false);
  });

  it('has the newest first, each once', () => {
    remember(home, { users: ['alice'], orders: [orderId(1)] });
    remember(home, { users: ['bob'] });
    remember(home, { users: ['alice'], orders: [orderId(3), orderId(2)] });
    expect(readRecent(home)).to.deep.equal({
      users: ['alice', 'bob'],
      orders: [orderId(3), orderId(2), orderId(1)],
    });
  });

  it('is for its owner alone', () => {
    remember(home, { users: ['alice'] });
    expect(statSync(join(home, 'recent.json')).mode & 0o777).to.equal(0o600);
    expect(statSync(home).mode & 0o777).to.equal(0o700);
  });

  it('is bounded: the oldest are forgotten', () => {
    for (let number = 0; number < 250; number += 1) remember(home, { users: [`user-${number}`] });
    const { users } = readRecent(home);
    expect(users).to.have.length(200);
    expect(users[0]).to.equal('user-249');
  });

  it('does not grow beyond what it reads again, with the longest ids', () => {
    const users = Array.from({ length: 200 }, (_, number) => String(number).padStart(64, 'x'));
    const orders = Array.from({ length: 200 }, (_, number) => orderId(number));
    remember(home, { users, orders });
    expect(readRecent(home)).to.deep.equal({ users, orders });
  });

  for (const [what, content] of [
    ['no JSON', '{"users":["al'],
    ['another thing', '[1,2]'],
    ['null', 'null'],
    ['larger than it can be', `{"users":["alice"],"x":"${'x'.repeat(70_000)}"}`],
  ] as const) {
    it(`is nothing, and can be written again, where the file is ${what}`, () => {
      mkdirSync(home);
      writeFileSync(join(home, 'recent.json'), content);
      expect(readRecent(home)).to.deep.equal(nothing);
      remember(home, { users: ['bob'] });
      expect(readRecent(home).users).to.deep.equal(['bob']);
    });
  }

  it('offers nothing that is no id, whoever wrote it there', () => {
    mkdirSync(home);
    const users = ['alice', '\u001b[2J', 7, 'a b', '$(reboot)'];
    writeFileSync(join(home, 'recent.json'), JSON.stringify({ users, orders: ['4711', orderId(1)] }));
    expect(readRecent(home)).to.deep.equal({ users: ['alice'], orders: [orderId(1)] });
  });

  it('goes without where the home cannot be', () => {
    writeFileSync(home, 'a file');
    remember(home, { users: ['alice'] });
    expect(readRecent(home)).to.deep.equal(nothing);
    forgetRecent(home);
  });

  it('can be forgotten', () => {
    remember(home, { users: ['alice'] });
    forgetRecent(home);
    expect(readRecent(home)).to.deep.equal(nothing);
  });
});
