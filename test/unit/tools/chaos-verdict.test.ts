import { expect } from 'chai';
import { countStrikes, unproven, verdictOf } from '../../../src/tools/chaos/verdict.ts';

describe('what a chaos run proves', () => {
  it('is a failure when something broken was seen, however it ended, and nothing when it was ended early', () => {
    expect(verdictOf(0, false)).to.equal('pass');
    expect(verdictOf(0, true)).to.equal('interrupted');
    expect(verdictOf(1, false)).to.equal('fail');
    expect(verdictOf(1, true)).to.equal('fail');
  });

  it('counts what struck and what could not, for each chosen fault', () => {
    const strikes = [
      { fault: 'kill', struck: true },
      { fault: 'kill', struck: false },
      { fault: 'poison', struck: false },
    ] as const;
    expect(countStrikes(['kill', 'link', 'poison'], strikes)).to.deep.equal({
      kill: { struck: 1, missed: 1 },
      link: { struck: 0, missed: 0 },
      poison: { struck: 0, missed: 1 },
    });
  });

  it('is nothing when a chosen fault never struck, or nothing could be audited meanwhile', () => {
    const struck = { struck: 1, missed: 3 };
    expect(unproven({ kill: struck, pause: struck }, 1)).to.deep.equal([]);
    expect(unproven({ kill: struck, pause: { struck: 0, missed: 2 } }, 1)).to.deep.equal([
      'the fault pause never struck: the run proves nothing about it',
    ]);
    expect(unproven({ kill: struck }, 0)).to.deep.equal(['no audit could be made while it ran']);
  });
});
