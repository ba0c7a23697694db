import { expect } from 'chai';
import { Hints } from '../../../src/platform/hints.ts';

describe('platform: hints', () => {
  it('gives what it was told, once', () => {
    const hints = new Hints<number>(3);
    hints.add([1]);
    hints.add([2, 3]);
    expect(hints.close()).to.deep.equal([1, 2, 3]);
    hints.open();
    expect(hints.close()).to.deep.equal([]);
  });

  it('forgets everything when there is too much to do, until the next round', () => {
    const hints = new Hints<number>(3);
    hints.add([1, 2]);
    hints.add([3, 4]);
    hints.add([5]);
    expect(hints.close()).to.deep.equal([]);
    hints.open();
    hints.add([6]);
    expect(hints.close()).to.deep.equal([6]);
  });

  it('hears nothing while a round is under way, for the round may take that already', () => {
    const hints = new Hints<number>(3);
    hints.close();
    hints.add([1]);
    hints.open();
    expect(hints.close()).to.deep.equal([]);
  });
});
