import { expect } from 'chai';
import { InboxPressure } from '../../../src/payments/inbox-pressure.ts';
import { nextTurn } from '../../support/deferred.ts';

describe('payments: inbox pressure', () => {
  let pressure: InboxPressure;
  beforeEach(() => {
    pressure = new InboxPressure();
  });

  /** Begins to wait for room; answers whether that is over. */
  function waits(): () => Promise<boolean> {
    let over = false;
    void pressure.untilRoom().then(() => {
      over = true;
    });
    return async () => {
      await nextTurn();
      return over;
    };
  }

  it('lets receiving go on while few requests wait', async () => {
    pressure.received(4_000);
    expect(await waits()()).to.equal(true);
  });

  it('pauses receiving beyond that, until enough is decided', async () => {
    pressure.received(6_000);
    const isOver = waits();
    expect(await isOver()).to.equal(false);
    pressure.decided(1_000, { more: true });
    expect(await isOver()).to.equal(false);
    pressure.decided(1_000, { more: true });
    expect(await isOver()).to.equal(true);
  });

  it('believes a pass that found nothing more: another instance may have decided the rest', async () => {
    pressure.received(10_000);
    const isOver = waits();
    pressure.decided(7, { more: false });
    expect(await isOver()).to.equal(true);
    pressure.received(4_000);
    expect(await waits()()).to.equal(true);
  });
});
