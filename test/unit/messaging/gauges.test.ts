import { expect } from 'chai';
import { type Gauged, observeService } from '../../../src/messaging/gauges.ts';
import type { Database } from '../../../src/platform/database.ts';
import { deferred } from '../../support/deferred.ts';
import { Metered } from '../../support/metered.ts';

describe('messaging: gauges', () => {
  let metered: Metered;
  beforeEach(() => {
    metered = new Metered();
  });
  afterEach(() => metered.close());

  const connections = { used: 3, idle: 1, wanted: 2 };
  const place = { name: 'orders-outbox', rows: 2n, messages: 7n, span: 2n, oldest_s: 1.5 };

  function observe(query: () => Promise<object[]>, others: Partial<Gauged> = {}): () => void {
    return observeService(metered.meter, {
      name: 'orders',
      database: { connections, query } as unknown as Database,
      broker: { jobsIn: async () => ({ ready: 4 }), connections: { used: 1, idle: 2, wanted: 0 } },
      queue: 'payment-results',
      isReady: () => true,
      ...others,
    });
  }

  it('show what waits, and the connections', async () => {
    observe(async () => [place]);
    expect(await metered.read('tillbox.queue.depth')).to.deep.equal({ 'orders-outbox': 7 });
    expect(await metered.read('tillbox.queue.oldest')).to.deep.equal({ 'orders-outbox': 1.5 });
    expect(await metered.read('tillbox.queue.jobs')).to.deep.equal({
      'payment-requests ready': 4,
      'payment-results ready': 4,
      'payment-results-dead-letters ready': 4,
    });
    expect(await metered.read('tillbox.pool.connections')).to.deep.equal({
      'orders used': 3,
      'orders idle': 1,
      'broker used': 1,
      'broker idle': 2,
    });
    expect(await metered.read('tillbox.pool.waiting')).to.deep.equal({ orders: 2, broker: 0 });
  });

  it('leave out what a database that is away cannot tell, and show the rest', async () => {
    observe(() => Promise.reject(new Error('away')));
    expect(await metered.read('tillbox.queue.depth')).to.deep.equal({});
    expect(await metered.read('tillbox.queue.jobs')).to.include({ 'payment-results ready': 4 });
  });

  it('go missing with a database that is away, one place and not the other, and come back with it', async () => {
    let isAway = false;
    const answer = async <Answer>(value: Answer) => {
      if (isAway) throw new Error('away');
      return value;
    };
    observe(() => answer([place]), {
      broker: { jobsIn: () => answer({ ready: 4 }), connections: { used: 1, idle: 2, wanted: 0 } },
    });
    const readWaiting = async () => ({
      depth: await metered.read('tillbox.queue.depth'),
      oldest: await metered.read('tillbox.queue.oldest'),
      jobs: Object.keys(await metered.read('tillbox.queue.jobs')).length,
      pool: (await metered.read('tillbox.pool.waiting'))['orders'],
    });
    const measured = { depth: { 'orders-outbox': 7 }, oldest: { 'orders-outbox': 1.5 }, jobs: 3, pool: 2 };
    expect(await readWaiting()).to.deep.equal(measured);
    isAway = true;
    expect(await readWaiting()).to.deep.equal({ depth: {}, oldest: {}, jobs: 0, pool: 2 });
    isAway = false;
    expect(await readWaiting()).to.deep.equal(measured);
  });

  it('are missing when nobody observes them any more', async () => {
    const end = observe(async () => [place]);
    expect(await metered.read('tillbox.queue.depth')).to.deep.equal({ 'orders-outbox': 7 });
    end();
    expect(await metered.read('tillbox.queue.depth')).to.deep.equal({});
    expect(await metered.read('tillbox.ready')).to.deep.equal({});
  });

  for (const missing of ['database', 'broker'] as const) {
    it(`say that the service does not work while its ${missing} is away, and that it does when that is back`, async () => {
      let isAway = false;
      const answerOf = async <Answer>(what: string, value: Answer) => {
        if (isAway && what === missing) throw new Error('away');
        return value;
      };
      observe(() => answerOf('database', [place]), {
        broker: {
          jobsIn: () => answerOf('broker', { ready: 4 }),
          connections: { used: 1, idle: 2, wanted: 0 },
        },
      });
      expect(await metered.read('tillbox.ready')).to.deep.equal({ '': 1 });
      isAway = true;
      expect(await metered.read('tillbox.ready')).to.deep.equal({ '': 0 });
      isAway = false;
      expect(await metered.read('tillbox.ready')).to.deep.equal({ '': 1 });
    });
  }

  it('wait two seconds for a database that hangs, show the rest, and ask it once', async () => {
    let asked = 0;
    const hanging = deferred<object[]>();
    observe(() => {
      asked += 1;
      return hanging.promise;
    });
    expect(await metered.read('tillbox.ready')).to.deep.equal({ '': 0 });
    expect(await metered.read('tillbox.queue.depth')).to.deep.equal({});
    expect(asked).to.equal(1);
    hanging.resolve([place]);
    expect(await metered.read('tillbox.ready')).to.deep.equal({ '': 1 });
    expect(await metered.read('tillbox.queue.depth')).to.deep.equal({ 'orders-outbox': 7 });
  });

  it('ask nothing of the databases before the service is ready, nor after it has stopped', async () => {
    let asked = 0;
    const query = async () => {
      asked += 1;
      return [];
    };
    let ready = false;
    const end = observe(query, { isReady: () => ready });
    expect(await metered.read('tillbox.ready')).to.deep.equal({ '': 0 });
    end();
    ready = true;
    await metered.read('tillbox.ready');
    expect(asked).to.equal(0);
  });
});
