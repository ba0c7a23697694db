import { expect } from 'chai';
import { OrderWatch } from '../../../src/orders/order-watch.ts';
import { nextTurn } from '../../support/deferred.ts';
import { silentLog } from '../../support/test-server.ts';

describe('an order watch', () => {
  const never = new AbortController().signal;
  let watch: OrderWatch<string>;
  /** What was looked up, one entry a statement. */
  let lookedUp: string[][];
  let found: Map<string, string>;

  function startWatch(options: { pollMs: number }): void {
    lookedUp = [];
    found = new Map();
    const find = async (ids: string[]) => {
      lookedUp.push(ids);
      return found;
    };
    watch = new OrderWatch({ name: 'test', find, log: silentLog, ...options });
    watch.start();
  }

  /** Once the test's own has begun. */
  async function timers(): Promise<number> {
    await nextTurn();
    return process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length;
  }

  afterEach(() => watch.stop());

  it('rests while nobody waits: no statement, and no timer', async () => {
    const before = await timers();
    startWatch({ pollMs: 1 });
    expect(await timers()).to.equal(before);
    expect(lookedUp).to.deep.equal([]);
  });

  it('looks at once when the first one waits: it may be true already', async () => {
    startWatch({ pollMs: 1_000_000 });
    await nextTurn();
    found.set('a', 'settled');
    expect(await watch.until('a', never)).to.equal('settled');
  });

  it('polls as long as somebody waits, and rests again after', async () => {
    const before = await timers();
    startWatch({ pollMs: 1 });
    const waiting = watch.until('a', never);
    while (lookedUp.length < 3) await nextTurn();
    found.set('a', 'settled');
    expect(await waiting).to.equal('settled');
    expect(await timers()).to.equal(before);
    expect(lookedUp.every((ids) => ids.join() === 'a')).to.equal(true);
  });

  it('ends a wait without an answer when it is aborted, or stops', async () => {
    startWatch({ pollMs: 1_000_000 });
    const gone = new AbortController();
    const aborted = watch.until('a', gone.signal);
    const stopped = watch.until('b', never);
    gone.abort();
    expect(await aborted).to.equal(undefined);
    await watch.stop();
    expect(await stopped).to.equal(undefined);
    expect(await watch.until('c', never)).to.equal(undefined);
  });
});
