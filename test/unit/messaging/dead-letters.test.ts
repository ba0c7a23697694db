import { expect } from 'chai';
import fc from 'fast-check';
import { cutDeep } from '../../../src/messaging/dead-letters.ts';

describe('dead letters', () => {
  it('keep a message as it came', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 20 }), (message) => {
        expect(cutDeep(message)).to.deep.equal(message);
      }),
    );
  });

  it('cut off what is nested too deeply for anything to read it', () => {
    const deep = (levels: number) => JSON.parse(`${'[{"a":'.repeat(levels / 2)}1${'}]'.repeat(levels / 2)}`);
    expect(cutDeep(deep(100))).to.deep.equal(deep(100));
    expect(JSON.stringify(cutDeep(deep(102)))).to.equal(
      JSON.stringify(deep(102)).replace('[{"a":1}]', '"…"'),
    );
    expect(JSON.stringify(cutDeep(deep(1_000_000))).length).to.be.below(1_000);
  });
});
