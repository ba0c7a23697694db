import { expect } from 'chai';
import { chooseShown, type Shown, shownMax } from '../../../src/gateway/board/shown-orders.ts';

describe('the orders a board shows', () => {
  /** Ids rise with time, as those of orders do. */
  const id = (number: number) => `id-${String(number).padStart(4, '0')}`;
  const newestOf = (number: number) => Array.from({ length: 8 }, (_, index) => id(number - index));
  const ids = (shown: readonly Shown[]) => shown.map((one) => one.id);

  it('are the newest when there were none, newest first', () => {
    expect(ids(chooseShown([], newestOf(20), 0))).to.deep.equal(newestOf(20));
    expect(ids(chooseShown([], [id(2), id(1)], 0))).to.deep.equal([id(2), id(1)]);
  });

  it('take a free row at once', () => {
    const shown = chooseShown([], [id(1)], 0);
    expect(ids(chooseShown(shown, [id(3), id(2), id(1)], 10))).to.deep.equal([id(3), id(2), id(1)]);
  });

  it('stay five seconds, however many come', () => {
    const shown = chooseShown([], newestOf(20), 0);
    expect(chooseShown(shown, newestOf(500), 4_999)).to.deep.equal(shown);
  });

  it('go three at a time, those first that were there longest', () => {
    const shown = chooseShown([], newestOf(20), 0);
    const next = chooseShown(shown, newestOf(500), 5_000);
    expect(ids(next)).to.deep.equal([id(500), id(499), id(498), ...newestOf(20).slice(0, 5)]);
    const later = chooseShown(next, newestOf(900), 6_000);
    expect(ids(later)).to.deep.equal([id(900), id(899), id(898), id(500), id(499), id(498), id(20), id(19)]);
  });

  it('never make room for older ones, and never are more than there are rows', () => {
    let shown = chooseShown([], newestOf(100), 0);
    expect(ids(chooseShown(shown, newestOf(50), 60_000))).to.deep.equal(newestOf(100));
    for (let round = 1; round < 50; round += 1) {
      shown = chooseShown(shown, newestOf(100 + round * 3), round * 1_000);
      expect(shown).to.have.length(shownMax);
      expect(ids(shown)).to.deep.equal([...new Set(ids(shown))].sort().reverse());
    }
  });
});
