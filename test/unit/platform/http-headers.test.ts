import { expect } from 'chai';
import { preferredWaitSeconds } from '../../../src/platform/http-headers.ts';

describe('request headers', () => {
  it('reads the seconds of Prefer: wait, wherever it stands', () => {
    for (const header of ['wait=5', 'wait=5;x', 'respond-async, wait=5', 'WAIT = "5"', 'x=y; wait=5,z']) {
      expect(preferredWaitSeconds(header), header).to.equal(5);
    }
    expect(preferredWaitSeconds(['respond-async', 'wait=5'])).to.equal(5);
    expect(preferredWaitSeconds('wait=0')).to.equal(0);
  });

  it('waits a minute at most', () => {
    expect(preferredWaitSeconds('wait=61')).to.equal(60);
    expect(preferredWaitSeconds('wait=999999')).to.equal(60);
  });

  it('ignores a preference that is absent or malformed', () => {
    expect(preferredWaitSeconds(undefined)).to.equal(undefined);
    for (const header of ['', 'wait', 'wait=', 'wait=-1', 'wait=1.5', 'wait=1e3', 'await=5', 'wait=5s']) {
      expect(preferredWaitSeconds(header), header).to.equal(undefined);
    }
  });
});
