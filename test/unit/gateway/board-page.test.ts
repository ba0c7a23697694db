import { createHash } from 'node:crypto';
import { expect } from 'chai';
import { areaPath, ceilingOf, linePath } from '../../../src/gateway/board/page/chart.js';
import { agoText, countText, durationText, rateText } from '../../../src/gateway/board/page/format.js';
import { eventsIn } from '../../../src/gateway/board/page/stream.js';
import { boardPage } from '../../../src/gateway/board/page.ts';

describe('the page of the board', () => {
  const { html, headers } = boardPage({ identityRequired: false });
  const policy = headers['content-security-policy'] ?? '';

  it('allows its own script and style by their hashes, and nothing else', () => {
    for (const [directive, pattern] of [
      ['script-src', /<script type="module">([\s\S]*)<\/script>/],
      ['style-src', /<style>([\s\S]*)<\/style>/],
    ] as const) {
      const [, text = ''] = pattern.exec(html) ?? [];
      const hash = createHash('sha256').update(text).digest('base64');
      expect(policy).to.contain(`${directive} 'sha256-${hash}'`);
    }
    expect(policy).to.contain("default-src 'none'").and.not.contain('unsafe');
  });

  it('holds one script of all modules, no handler, no style in an attribute, and no address of elsewhere', () => {
    expect(html).not.to.match(/^(import|export) /m);
    expect(html).not.to.match(/ on[a-z]+="/);
    expect(html).not.to.contain('style="');
    expect(html.match(/<\/script>/g)).to.have.length(1);
    expect(html.replaceAll("xmlns='http://www.w3.org/2000/svg'", '')).not.to.match(/https?:\/\//);
  });

  it('asks for a token first where one is needed', () => {
    expect(html).to.contain('data-identity="none"');
    expect(boardPage({ identityRequired: true }).html).to.contain('data-identity="required"');
  });

  it('writes figures as people read them', () => {
    expect([null, 0, 0.04, 0.2, 9.94, 9.96, 1_234.5].map(rateText)).to.deep.equal([
      '–',
      '0',
      '0.0',
      '0.2',
      '9.9',
      '10',
      '1,235',
    ]);
    expect([null, 0, 999, 1_500, 42_000, 180_000, 7_200_000, 200_000_000].map(durationText)).to.deep.equal([
      '–',
      '0 ms',
      '999 ms',
      '1.5 s',
      '42 s',
      '3 min',
      '2 h',
      '2 days',
    ]);
    expect([countText(12_345, false), countText(12_345, true)]).to.deep.equal(['12,345', '≈ 12,345']);
    expect([-5, 999, 1_999, 119_999, 120_000].map(agoText)).to.deep.equal([
      '0 s',
      '0 s',
      '1 s',
      '119 s',
      '2 min',
    ]);
  });

  it('draws lines with gaps where nothing was known, below a round ceiling', () => {
    expect(
      [[0], [0.4], [7], [26], [43, null, 12], [100], [101]].map((values) => ceilingOf(values)),
    ).to.deep.equal([1, 1, 8, 30, 50, 100, 150]);
    expect(linePath([1, null, 2, 0], 2)).to.equal('M569.5 50M589.8 0L600 100');
    expect(areaPath([], 1)).to.equal('');
    expect(areaPath([1, 2], 2)).to.equal('M589.8 100L589.8 50L600 0L600 100Z');
  });

  it('reads events however they are cut', async () => {
    const bytes = new TextEncoder().encode(
      ': hello\n\nevent: board\ndata: {"n":"é"}\n\ndata: {"n":2}\n\ndata: {"n"',
    );
    for (const size of [1, 7, 1_000]) {
      const parts: Uint8Array[] = [];
      for (let from = 0; from < bytes.length; from += size) parts.push(bytes.slice(from, from + size));
      const found: unknown[] = [];
      for await (const event of eventsIn(ReadableStream.from(parts) as ReadableStream<Uint8Array>))
        found.push(event);
      expect(found).to.deep.equal([{ n: 'é' }, { n: 2 }]);
    }
  });
});
