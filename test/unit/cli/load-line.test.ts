import { expect } from 'chai';
import { LoadLine } from '../../../src/cli/terminal/load-line.ts';

const orders = {
  kind: 'orders',
  seconds: 3,
  accepted: 1_200,
  errors: 2,
  planned: 5_000,
  acceptedPerSecond: 401.2,
  acceptP50: 5.21,
  acceptP99: 42.7,
  settleP50: null,
  waiting: 17,
} as const;

function watched(stream: { isTTY?: boolean; columns?: number }) {
  const written: string[] = [];
  const notes: string[] = [];
  const line = new LoadLine(
    { note: (text) => notes.push(text) },
    { ...stream, write: (text) => written.push(text) },
  );
  line.phase('creating 5 users');
  line.progress({ kind: 'users', done: 1, all: 4 });
  line.phase('sending orders');
  line.progress(orders);
  line.notice('a\u001b[31mb');
  line.progress({ kind: 'drain', waiting: 3 });
  line.end();
  return { written, notes };
}

describe('the live line of a load', () => {
  it('moves on a terminal, one line that is never wider than it, and leaves it clean', () => {
    const { written } = watched({ isTTY: true, columns: 100 });
    const shown = written.map((text) => text.replace('\r\u001b[K', ''));
    expect(shown).to.include.members([
      'creating 5 users: 25%',
      '3 s  24%  1200 accepted  401/s  accept 5.2/43 ms  settle - ms  17 wait  2 errors',
      'sending orders: 3 wait',
    ]);
    expect(written.at(-1)).to.equal('\r\u001b[K');
    const narrow = watched({ isTTY: true, columns: 20 }).written;
    for (const text of narrow) expect(text.replace('\r\u001b[K', '').length).to.be.at.most(19);
  });

  it('is not there off a terminal, but for notices, made safe', () => {
    const { written, notes } = watched({});
    expect(written).to.deep.equal([]);
    expect(notes).to.deep.equal(['a\\u{1b}[31mb']);
  });
});
