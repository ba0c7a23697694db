import { expect } from 'chai';
import { PassLoop } from '../../../src/platform/pass-loop.ts';
import { type Deferred, deferred, nextTurn } from '../../support/deferred.ts';
import { eventually } from '../../support/eventually.ts';
import { silentLog } from '../../support/test-server.ts';

describe('pass loop', () => {
  let loop: PassLoop | undefined;
  let passes: Deferred<boolean>[];

  /** A loop whose passes end when the test says so. Nothing but a poke ends its idle wait. */
  function heldLoop({ idleMs = 1_000_000 } = {}): PassLoop {
    passes = [];
    const pass = () => {
      const end = deferred<boolean>();
      passes.push(end);
      return end.promise;
    };
    loop = new PassLoop({ name: 'test', pass, idleMs, log: silentLog });
    return loop;
  }

  async function endPass(index: number, more = false): Promise<void> {
    passes[index]?.resolve(more);
    await nextTurn();
  }

  afterEach(async () => {
    const stopped = loop?.stop();
    for (const pass of passes) pass.resolve(false);
    await stopped;
  });

  it('runs a pass at the start, then waits', async () => {
    heldLoop().start();
    expect(passes).to.have.length(1);
    await endPass(0);
    expect(passes).to.have.length(1);
  });

  it('runs another pass at once when poked while idle', async () => {
    const poked = heldLoop();
    poked.start();
    await endPass(0);
    poked.poke();
    await nextTurn();
    expect(passes).to.have.length(2);
  });

  it('runs one more pass when poked during a pass, however often', async () => {
    const poked = heldLoop();
    poked.start();
    for (let count = 0; count < 5; count += 1) poked.poke();
    expect(passes, 'passes never overlap').to.have.length(1);
    await endPass(0);
    expect(passes).to.have.length(2);
    await endPass(1);
    expect(passes).to.have.length(2);
  });

  it('goes on at once while a pass says that there is more', async () => {
    heldLoop().start();
    await endPass(0, true);
    await endPass(1, true);
    expect(passes).to.have.length(3);
    await endPass(2, false);
    expect(passes).to.have.length(3);
  });

  it('runs a pass without a poke after its idle time', async () => {
    heldLoop({ idleMs: 1 }).start();
    await endPass(0);
    await eventually(() => expect(passes.length).to.be.at.least(2));
  });

  it('runs a failed pass again after a pause that no poke shortens, and recovers', async () => {
    const failing = heldLoop();
    failing.start();
    passes[0]?.reject(new Error('the database is away'));
    await nextTurn();
    failing.poke();
    await nextTurn();
    expect(passes, 'not before the pause is over').to.have.length(1);
    await eventually(() => expect(passes).to.have.length(2));
    await endPass(1);
    failing.poke();
    await nextTurn();
    expect(passes, 'pokes count again').to.have.length(3);
  });

  it('survives a pass that throws before it returns a promise', async () => {
    let calls = 0;
    const pass = (): Promise<boolean> => {
      calls += 1;
      if (calls === 1) throw new Error('at once');
      return Promise.resolve(false);
    };
    const throwing = new PassLoop({ name: 'test', pass, idleMs: 1_000_000, log: silentLog });
    throwing.start();
    await eventually(() => expect(calls).to.equal(2));
    await throwing.stop();
  });

  it('stops only when the pass under way has ended, also when stopped twice', async () => {
    const stopping = heldLoop();
    stopping.start();
    const stopped: string[] = [];
    const both = Promise.all([
      stopping.stop().then(() => stopped.push('first')),
      stopping.stop().then(() => stopped.push('second')),
    ]);
    await nextTurn();
    expect(stopped).to.deep.equal([]);
    await endPass(0, true);
    await both;
    expect(stopped).to.have.length(2);
    expect(passes, 'no pass after stop, even if there is more').to.have.length(1);
  });

  it('stops at once while it waits, idle or after a failure', async () => {
    const idle = heldLoop();
    idle.start();
    await endPass(0);
    await idle.stop();
    const failed = heldLoop();
    failed.start();
    passes[0]?.reject(new Error('away'));
    await nextTurn();
    await failed.stop();
    expect(passes).to.have.length(1);
  });

  it('never runs when it was stopped before it was started', async () => {
    const never = heldLoop();
    await never.stop();
    never.start();
    never.poke();
    await nextTurn();
    expect(passes).to.have.length(0);
  });

  it('starts once', async () => {
    const once = heldLoop();
    once.start();
    once.start();
    await nextTurn();
    expect(passes).to.have.length(1);
  });
});
