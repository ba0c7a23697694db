import { expect } from 'chai';
import { recordedContextIn } from '../../../../src/platform/telemetry/spans.ts';
import { recordSpans } from '../../../support/recorded-spans.ts';

describe('spans', () => {
  const traceId = 'a'.repeat(32);
  const spanId = 'b'.repeat(16);
  const header = `00-${traceId}-${spanId}-01`;
  const form = { name: 'decide payment', kind: 'internal', attributes: { some: 1 } } as const;
  const ending = { attributes: { more: 2 } };

  it('are children of what the header tells, and tell themselves to whoever goes on', () => {
    const { spans, ended } = recordSpans();
    const span = spans.begin(header, 1_000.5, 'shop=17');
    spans.end(span, form, { ...ending, endMs: 2_001.75 });
    const [record] = ended;
    const context = record?.spanContext();
    expect(span.traceparent).to.equal(`00-${traceId}-${context?.spanId}-01`);
    expect(context?.traceId).to.equal(traceId);
    expect(context?.traceState?.serialize()).to.equal('shop=17');
    expect(record?.parentSpanContext).to.include({ traceId, spanId, isRemote: true });
    expect(record).to.include({ name: 'decide payment', kind: 0, ended: true });
    expect(record?.attributes).to.deep.equal({ some: 1, more: 2 });
    expect(record?.startTime).to.deep.equal([1, 500_000]);
    expect(record?.endTime).to.deep.equal([2, 1_750_000]);
    expect(record?.duration).to.deep.equal([1, 1_250_000]);
  });

  it('begin a trace where there is no header, or a malformed one, unless they are only to go on', () => {
    const { spans, ended } = recordSpans();
    for (const wrong of [undefined, 'garbage']) spans.end(spans.begin(wrong, 0), form, ending);
    expect(ended.map(({ parentSpanContext }) => parentSpanContext)).to.deep.equal([undefined, undefined]);
    expect(new Set(ended.map((record) => record.spanContext().traceId)).size).to.equal(2);
    for (const wrong of [undefined, 'garbage']) {
      expect(spans.goOn(wrong, 0)).to.include({ traceparent: undefined, context: undefined });
    }
    expect(spans.goOn(header, 0).context?.traceId).to.equal(traceId);
  });

  it('are none where the trace is not recorded, and the header goes on as it came', () => {
    const { spans, ended } = recordSpans();
    const unsampled = `00-${traceId}-${spanId}-00`;
    const span = spans.begin(unsampled, 0);
    spans.end(span, form, ending);
    expect(span.traceparent).to.equal(unsampled);
    const off = recordSpans({ sampler: 'always_off' });
    const told = off.spans.begin(undefined, 0);
    off.spans.end(told, form, ending);
    expect(told.traceparent).to.equal(undefined);
    expect(off.spans.begin(header, 0).traceparent).to.match(new RegExp(`^00-${traceId}-.*-00$`));
    expect([...ended, ...off.ended]).to.deep.equal([]);
  });

  it('say what they failed of by its code, and not by what its message may hold', () => {
    const { spans, ended } = recordSpans();
    const error = Object.assign(new Error('postgres://u:secret@h/d'), { code: 'ECONNREFUSED' });
    spans.end(spans.begin(header, 0), form, { ...ending, error });
    spans.end(spans.begin(header, 0), form, { ...ending, error: new TypeError('secret') });
    expect(ended.map(({ status }) => status)).to.deep.equal([
      { code: 2, message: 'ECONNREFUSED' },
      { code: 2, message: 'TypeError' },
    ]);
  });

  it('never end before they begin, whatever the clock does', () => {
    const { spans, ended } = recordSpans();
    spans.end(spans.begin(header, 5_000), form, { ...ending, endMs: 4_000 });
    expect(ended[0]?.endTime).to.deep.equal([5, 0]);
    expect(ended[0]?.duration).to.deep.equal([0, 0]);
    expect(spans.now()).to.be.closeTo(Date.now(), 100);
  });

  it('that join others link to each recorded one, up to a limit, and are not where there is one', () => {
    const { spans, ended } = recordSpans({ linksMax: 2 });
    const contexts = ['1', '2', '3'].map((digit) =>
      recordedContextIn(`00-${traceId}-${digit.repeat(16)}-01`),
    );
    const recorded = contexts.flatMap((context) => context ?? []);
    spans.join(recorded, 0, form, ending);
    spans.join(recorded.slice(0, 1), 0, form, ending);
    expect(recordedContextIn(`00-${traceId}-${spanId}-00`)).to.equal(undefined);
    expect(ended).to.have.length(1);
    const [record] = ended;
    expect(record?.links.map(({ context }) => context.spanId)).to.deep.equal([
      '1'.repeat(16),
      '2'.repeat(16),
    ]);
    expect(record?.droppedLinksCount).to.equal(1);
    expect(record?.parentSpanContext).to.equal(undefined);
    expect(record?.spanContext().traceId).not.to.equal(traceId);
  });
});
