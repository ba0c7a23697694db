import { expect } from 'chai';
import fc from 'fast-check';
import { visible, visibleJson } from '../../../src/cli/terminal/terminal-text.ts';

const deceptive = [
  ...['\0', '\n', '\r', '\t', '\u001b', '\u007f', '\u0085', '\u009b'],
  ...['\u061c', '\u200b', '\u200d', '\u200e', '\u200f', '\u202a', '\u202e', '\u2066', '\u2069'],
  ...['\u2028', '\u2029', '\ufeff', '\u00ad', '\ud800', '\udfff', '\u{e0041}'],
];
const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc
    .array(fc.oneof(fc.constantFrom(...deceptive), fc.string({ unit: 'grapheme' })))
    .map((parts) => parts.join('')),
);
const harmful = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\u200b-\u200f\ufeff]|\p{Surrogate}/u;

describe('text of others on a terminal', () => {
  it('shows every deceptive character as an escape', () => {
    for (const character of deceptive) {
      expect(visible(`a${character}b`)).to.equal(`a\\u{${character.codePointAt(0)?.toString(16)}}b`);
    }
  });

  it('leaves the scripts and symbols of the world alone', () => {
    for (const text of ['two tickets', 'Grüße', '日本語', 'שלום', 'مرحبا', '🎫 ½ €', 'a\u0301']) {
      expect(visible(text)).to.equal(text);
    }
  });

  it('shows marks that stand on nothing, or are heaped on each other, as escapes', () => {
    expect(visible('\u0301a')).to.equal('\\u{301}a');
    expect(visible(`a${'\u0301'.repeat(6)}b`)).to.equal(`a${'\u0301'.repeat(4)}\\u{301}\\u{301}b`);
  });

  it('never lets a harmful character through, and changes nothing the second time', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(visible(text)).not.to.match(harmful);
        expect(visible(visible(text))).to.equal(visible(text));
      }),
    );
  });

  it('is in JSON equal in value', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const json = visibleJson({ text });
        expect(json).not.to.match(harmful);
        expect(JSON.parse(json)).to.deep.equal({ text });
        expect(JSON.parse(visibleJson({ text }, 2))).to.deep.equal({ text });
      }),
    );
  });
});
