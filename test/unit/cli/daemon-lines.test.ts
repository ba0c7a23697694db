import { expect } from 'chai';
import type { Logger } from 'pino';
import { daemonLines } from '../../../src/cli/daemon-lines.ts';

describe('what up shows of its daemons', () => {
  const line = '{"level":"info","time":"2026-11-25T19:36:54.731Z","service":"orders","msg":"ready"}';

  function shownWith(toPeople: boolean) {
    const notes: string[] = [];
    const logged: object[] = [];
    const log = (fields: object, msg: string) => void logged.push({ ...fields, msg });
    const note = (text: string) => void notes.push(text);
    const events = daemonLines({ toPeople, note }, { warn: log, error: log } as unknown as Logger);
    return { events, notes, logged };
  }

  it('is for people under the name of each', () => {
    const { events, notes } = shownWith(true);
    events.line('orders', line);
    events.line('orders', 'no record');
    events.died('orders', 'SIGKILL');
    expect(notes[0]).to.match(/^orders {5}│ \d\d:\d\d:\d\d ready$/);
    expect(notes.slice(1)).to.deep.equal([
      'orders     │ no record',
      'orders     │ died (SIGKILL), starting it again',
    ]);
  });

  it('is for whatever collects logs the lines as they are, and what is none within one', () => {
    const { events, notes, logged } = shownWith(false);
    events.line('orders', line);
    events.line('orders', 'no record');
    events.died('orders', 'SIGKILL');
    expect(notes).to.deep.equal([line]);
    expect(logged).to.deep.equal([
      { daemon: 'orders', line: 'no record', msg: 'daemon wrote' },
      { daemon: 'orders', how: 'SIGKILL', msg: 'daemon died, starting it again' },
    ]);
  });
});
